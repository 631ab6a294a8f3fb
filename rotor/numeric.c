/* SPDX-License-Identifier: Apache-2.0 */
/* What of numeric.h is too long to stand in every handler. Spec: WebAssembly 2.0 4.3. */
#include "rotor/numeric.h"

double f64_round(double a, enum round how)
{
	uint64_t bits = f64_bits(a), sign = bits & 1ull << 63;
	int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
	bool away;

	if (exponent >= 52) {
		return a != a ? a + a : a;
	}
	if (exponent < 0) {
		uint64_t size = bits ^ sign;

		away = how == ROUND_NEAREST ? size > 0x3fe0000000000000u
					    : size != 0 && how == (sign ? ROUND_FLOOR : ROUND_CEIL);
		return f64_from(sign | (away ? 0x3ff0000000000000u : 0));
	}
	uint64_t one = 1ull << (52 - exponent), rest = bits & (one - 1);
	if (how == ROUND_NEAREST) {
		away = rest > one / 2 || (rest == one / 2 && (bits & one) != 0);
	} else {
		away = rest != 0 && how == (sign ? ROUND_FLOOR : ROUND_CEIL);
	}
	/* A carry out of the digits makes the exponent one more, as it must. */
	return f64_from(bits - rest + (away ? one : 0));
}

enum rotor_trap f64_to_integer(double a, unsigned how, uint64_t *out)
{
	uint64_t bits = f64_bits(a), v, most = how & INTEGER_WIDE ? UINT64_MAX : UINT32_MAX;
	int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
	bool negative = bits >> 63 != 0;

	*out = 0;
	if (a != a) {
		return how & INTEGER_SATURATED ? ROTOR_TRAP_NONE : ROTOR_TRAP_CONVERSION;
	}
	v = (bits & ((1ull << 52) - 1)) | 1ull << 52;
	v = exponent < 0    ? 0
	    : exponent > 63 ? UINT64_MAX
	    : exponent > 52 ? v << (exponent - 52)
			    : v >> (52 - exponent);
	if (how & INTEGER_SIGNED) {
		most = (most >> 1) + negative;
	} else if (negative) {
		most = 0;
	}
	if (v > most || exponent > 63) {
		if (!(how & INTEGER_SATURATED)) {
			return ROTOR_TRAP_OVERFLOW;
		}
		v = most;
	}
	*out = negative ? 0 - v : v;
	return ROTOR_TRAP_NONE;
}
