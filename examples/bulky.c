/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module of a megabyte that needs hardly any memory: its bulk lies in a custom section, as debug
 * information or documentation would. A worker with a receive buffer of one kilobyte takes it, in
 * small pieces.
 */

__asm__(".section .custom_section.bulk,\"\",@\n"
	".zero 1048576, 0x2e\n");

__attribute__((export_name("bulky"))) int bulky(int a)
{
	return a * 2;
}
