/* SPDX-License-Identifier: Apache-2.0 */
/* rotor dis: the translated form, readable, beside the WebAssembly it came from. */
#include "rotor/tool/tool.h"

int command_dis(int argc, char **argv)
{
	complain("not here yet");
	return EXIT_USAGE;
}
