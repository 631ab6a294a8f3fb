/* SPDX-License-Identifier: Apache-2.0 */
#include "rotorc/target.h"

#include "base/base.h"

/* Ids are part of the image format: never reused. */
static const struct rotorc_target targets[] = {
	{.name = "x86_64",
	 .keeps = 15, /* all of the 16 bytes of xmm0 to xmm15; what AVX adds is not kept */
	 .keeps_other = 14,
	 .result_words = 3,
	 .id = 1,
	 .triple = "x86_64-unknown-linux-gnu",
	 .cpu = "x86-64-v2",
	 .tune = "generic",
	 .features = "",
	 .pointer_bits = 64,
	 .f32_unit = true,
	 .f64_unit = true,
	 .f32_round = true,
	 .f64_round = true,
	 .f32_sqrt_div = true,
	 .float_register = "x",
	 .i64_native = true,
	 .tail_words = 6},
	{.name = "aarch64",
	 .keeps = 14,
	 .keeps_other = 14,
	 .result_words = 4,
	 .id = 2,
	 .triple = "aarch64-unknown-linux-gnu",
	 .cpu = "generic",
	 .features = "",
	 .always = "-outline-atomics",
	 .pointer_bits = 64,
	 .f32_unit = true,
	 .f64_unit = true,
	 .f32_round = true,
	 .f64_round = true,
	 .f32_sqrt_div = true,
	 .float_register = "w",
	 .i64_native = true,
	 .tail_words = 8,
	 .tiny_code = true},
	{.name = "thumbv7m",
	 .keeps = 0,
	 .result_words = 4,
	 .id = 3,
	 .triple = "thumbv7m-none-eabi",
	 .cpu = "cortex-m3",
	 .features = "",
	 .always = "-fpregs", /* no register of floats nor vectors is saved */
	 .pointer_bits = 32,
	 .thumb = true},
	{.name = "thumbv7em",
	 .keeps = 0,
	 .result_words = 4,
	 .id = 4,
	 .triple = "thumbv7em-none-eabi",
	 .cpu = "cortex-m4",
	 .features = "",
	 .always = "+soft-float,-fpregs",
	 .pointer_bits = 32,
	 .thumb = true},
	{.name = "thumbv7emf",
	 .keeps = 0,
	 .result_words = 4,
	 .id = 5,
	 .triple = "thumbv7em-none-eabihf",
	 .cpu = "cortex-m4",
	 .features = "+vfp4d16sp",
	 .always = "-mve,-d32",
	 .pointer_bits = 32,
	 .f32_unit = true,
	 .f32_sqrt_div = true,
	 .float_register = "t",
	 .thumb = true},
	{.name = "rv32imac",
	 .keeps = 14,
	 .keeps_other = 14,
	 .result_words = 2,
	 .id = 6,
	 .triple = "riscv32-unknown-none-elf",
	 .cpu = "generic-rv32",
	 .features = "+m,+a,+c",
	 .always = "-relax,-f",
	 .pointer_bits = 32},
	{.name = "rv32imc",
	 .keeps = 14,
	 .keeps_other = 14,
	 .result_words = 2,
	 .id = 7,
	 .triple = "riscv32-unknown-none-elf",
	 .cpu = "generic-rv32",
	 .features = "+m,+c",
	 .always = "-relax,-f",
	 .pointer_bits = 32},
	{.name = "xtensa-esp32s3",
	 .keeps = 0,
	 .result_words = 2,
	 .id = 8,
	 .triple = "xtensa-none-elf",
	 .cpu = "esp32",
	 .features = "",
	 .pointer_bits = 32,
	 .f32_unit = true,
	 .float_register = "r",
	 .by_assembly = true},
};

const struct rotorc_target *rotorc_target_find(const char *name)
{
	for (unsigned i = 0; i < BASE_COUNT(targets); i++) {
		if (strcmp(targets[i].name, name) == 0) {
			return &targets[i];
		}
	}
	return NULL;
}

const struct rotorc_target *rotorc_target_by_id(uint16_t id)
{
	for (unsigned i = 0; i < BASE_COUNT(targets); i++) {
		if (targets[i].id == id) {
			return &targets[i];
		}
	}
	return NULL;
}

const struct rotorc_target *rotorc_target_at(unsigned i)
{
	return i < BASE_COUNT(targets) ? &targets[i] : NULL;
}

const char *rotorc_target_host(void)
{
#if defined(__x86_64__)
	return "x86_64";
#elif defined(__aarch64__)
	return "aarch64";
#else
	return NULL;
#endif
}
