/* SPDX-License-Identifier: Apache-2.0 */
/* Never ends by itself: for trying stop, --fuel and --time. */

static volatile unsigned turns;

__attribute__((export_name("forever"))) unsigned forever(void)
{
	while (turns < 0xffffffffu) {
		turns = turns == 0xfffffffeu ? 0 : turns + 1;
	}
	return turns;
}
