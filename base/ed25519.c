/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ed25519 verification on eight 32-bit words.
 *
 * Numbers of the field are below 2^256 and taken modulo 2^255 - 19, in one form only where they are
 * compared. Points are extended coordinates: x = X / Z, y = Y / Z, x y = T / Z; one addition serves
 * for all pairs, equal ones too.
 *
 * Spec: RFC 8032, 5.1; Hisil and others, Twisted Edwards Curves Revisited (2008), 3.1.
 */
#include "base/ed25519.h"

#include "base/sha512.h"

enum {
	WORDS = 8
};

typedef uint32_t fe[WORDS];

struct point {
	fe x, y, z, t;
};

static const fe prime = {0xffffffed, 0xffffffff, 0xffffffff, 0xffffffff,
			 0xffffffff, 0xffffffff, 0xffffffff, 0x7fffffff};
static const fe order = {0x5cf5d3ed, 0x5812631a, 0xa2f79cd6, 0x14def9de,
			 0x00000000, 0x00000000, 0x00000000, 0x10000000};
static const fe curve_d = {0x135978a3, 0x75eb4dca, 0x4141d8ab, 0x00700a4d,
			   0x7779e898, 0x8cc74079, 0x2b6ffe73, 0x52036cee};
static const fe curve_2d = {0x26b2f159, 0xebd69b94, 0x8283b156, 0x00e0149a,
			    0xeef3d130, 0x198e80f2, 0x56dffce7, 0x2406d9dc};
static const fe root_of_minus_1 = {0x4a0ea0b0, 0xc4ee1b27, 0xad2fe478, 0x2f431806,
				   0x3dfbd7a7, 0x2b4d0099, 0x4fc1df0b, 0x2b832480};
static const fe one = {1};
static const struct point base_point = {
	.x = {0x8f25d51a, 0xc9562d60, 0x9525a7b2, 0x692cc760, 0xfdd6dc5c, 0xc0a4e231, 0xcd6e53fe,
	      0x216936d3},
	.y = {0x66666658, 0x66666666, 0x66666666, 0x66666666, 0x66666666, 0x66666666, 0x66666666,
	      0x66666666},
	.z = {1},
	.t = {0xa5b7dda3, 0x6dde8ab3, 0x775152f5, 0x20f09f80, 0x64abe37d, 0x66ea4e8e, 0xd78b7665,
	      0x67875f0f},
};

/* ---- numbers of 256 bits */

static bool is_below(const fe a, const fe b)
{
	for (int i = WORDS - 1; i >= 0; i--) {
		if (a[i] != b[i]) {
			return a[i] < b[i];
		}
	}
	return false;
}

/* out = a - b; returns the borrow. */
static uint32_t subtract(fe out, const fe a, const fe b)
{
	uint64_t borrow = 0;

	for (int i = 0; i < WORDS; i++) {
		uint64_t t = (uint64_t)a[i] - b[i] - borrow;

		out[i] = (uint32_t)t;
		borrow = t >> 63;
	}
	return (uint32_t)borrow;
}

/* a += n; returns the carry. */
static uint32_t add_small(fe a, uint64_t n)
{
	for (int i = 0; i < WORDS; i++) {
		n += a[i];
		a[i] = (uint32_t)n;
		n >>= 32;
	}
	return (uint32_t)n;
}

static void load(fe out, const uint8_t *bytes)
{
	for (int i = 0; i < WORDS; i++) {
		out[i] = base_load_u32(bytes + 4 * i);
	}
}

/* ---- the field: 2^256 is 38 there */

static void fold(fe a, uint32_t carry)
{
	if (add_small(a, (uint64_t)carry * 38) != 0) {
		(void)add_small(a, 38);
	}
}

static void fe_add(fe out, const fe a, const fe b)
{
	uint64_t carry = 0;

	for (int i = 0; i < WORDS; i++) {
		carry += (uint64_t)a[i] + b[i];
		out[i] = (uint32_t)carry;
		carry >>= 32;
	}
	fold(out, (uint32_t)carry);
}

static void fe_sub(fe out, const fe a, const fe b)
{
	static const fe thirty_eight = {38};

	if (subtract(out, a, b) != 0 && subtract(out, out, thirty_eight) != 0) {
		(void)subtract(out, out, thirty_eight);
	}
}

static void fe_mul(fe out, const fe a, const fe b)
{
	uint32_t wide[2 * WORDS] = {0};
	uint64_t t = 0;

	for (int i = 0; i < WORDS; i++) {
		t = 0;
		for (int k = 0; k < WORDS; k++) {
			t += (uint64_t)a[i] * b[k] + wide[i + k];
			wide[i + k] = (uint32_t)t;
			t >>= 32;
		}
		wide[i + WORDS] = (uint32_t)t;
	}
	t = 0;
	for (int i = 0; i < WORDS; i++) {
		t += (uint64_t)wide[i + WORDS] * 38 + wide[i];
		out[i] = (uint32_t)t;
		t >>= 32;
	}
	fold(out, (uint32_t)t);
}

/* out = a to the power whose bits are all set but the one numbered hole (and hole2, if not below 0). */
static void fe_power(fe out, const fe a, int bits, int hole, int hole2)
{
	fe r = {1};

	for (int i = bits - 1; i >= 0; i--) {
		fe_mul(r, r, r);
		if (i != hole && i != hole2) {
			fe_mul(r, r, a);
		}
	}
	memcpy(out, r, sizeof(r));
}

static void fe_invert(fe out, const fe a)
{
	fe_power(out, a, 255, 2, 4); /* 2^255 - 21 */
}

/* Its one form below the prime. */
static void fe_reduce(fe a)
{
	while (!is_below(a, prime)) {
		(void)subtract(a, a, prime);
	}
}

static bool fe_same(const fe a, const fe b)
{
	fe d;

	fe_sub(d, a, b);
	fe_reduce(d);
	for (int i = 0; i < WORDS; i++) {
		if (d[i] != 0) {
			return false;
		}
	}
	return true;
}

/* ---- points */

/* out may be a or b. */
static void point_add(struct point *out, const struct point *a, const struct point *b)
{
	fe p, q, s, t, e, f;

	fe_sub(p, a->y, a->x);
	fe_sub(t, b->y, b->x);
	fe_mul(p, p, t);
	fe_add(q, a->y, a->x);
	fe_add(t, b->y, b->x);
	fe_mul(q, q, t);
	fe_mul(s, a->t, b->t);
	fe_mul(s, s, curve_2d);
	fe_mul(t, a->z, b->z);
	fe_add(t, t, t);
	fe_sub(e, q, p);
	fe_sub(f, t, s);
	fe_add(t, t, s); /* g */
	fe_add(q, q, p); /* h */
	fe_mul(out->x, e, f);
	fe_mul(out->y, t, q);
	fe_mul(out->t, e, q);
	fe_mul(out->z, f, t);
}

/* RFC 8032, 5.1.3 */
static bool point_decode(struct point *out, const uint8_t *bytes)
{
	fe u, v, w, x;
	bool odd = bytes[31] >> 7 != 0;

	load(out->y, bytes);
	out->y[WORDS - 1] &= 0x7fffffff;
	CHECK(is_below(out->y, prime), false);
	fe_mul(u, out->y, out->y);
	fe_mul(v, u, curve_d);
	fe_sub(u, u, one);
	fe_add(v, v, one);
	/* x = u v^3 (u v^7)^((p - 5) / 8) */
	fe_mul(w, v, v);
	fe_mul(w, w, v);
	fe_mul(x, w, u);
	fe_mul(w, w, w);
	fe_mul(w, w, v);
	fe_mul(w, w, u);
	fe_power(w, w, 252, 1, -1); /* 2^252 - 3 */
	fe_mul(x, x, w);
	fe_mul(w, x, x);
	fe_mul(w, w, v);
	if (!fe_same(w, u)) {
		fe_mul(x, x, root_of_minus_1);
		fe_mul(w, x, x);
		fe_mul(w, w, v);
		CHECK(fe_same(w, u), false);
	}
	fe_reduce(x);
	if ((x[0] & 1) != odd) {
		(void)subtract(x, prime, x);
		CHECK(is_below(x, prime), false); /* 0 has no other sign */
	}
	memcpy(out->x, x, sizeof(x));
	memcpy(out->z, one, sizeof(one));
	fe_mul(out->t, out->x, out->y);
	return true;
}

static void point_encode(uint8_t *bytes, const struct point *p)
{
	fe z, x, y;

	fe_invert(z, p->z);
	fe_mul(x, p->x, z);
	fe_mul(y, p->y, z);
	fe_reduce(x);
	fe_reduce(y);
	for (int i = 0; i < WORDS; i++) {
		base_store_u32(bytes + 4 * i, y[i]);
	}
	bytes[31] |= (uint8_t)((x[0] & 1) << 7);
}

static bool bit_of(const fe n, int i)
{
	return (n[i / 32] >> (i % 32) & 1) != 0;
}

/* out = a p + b q */
static void point_combine(struct point *out, const fe a, const struct point *p, const fe b,
			  const struct point *q)
{
	struct point both, r = {.y = {1}, .z = {1}};

	point_add(&both, p, q);
	for (int i = 255; i >= 0; i--) {
		bool in_a = bit_of(a, i), in_b = bit_of(b, i);

		point_add(&r, &r, &r);
		if (in_a || in_b) {
			point_add(&r, &r, in_a && in_b ? &both : in_a ? p : q);
		}
	}
	*out = r;
}

/* ---- the check */

/* A number of 512 bits modulo the order of the base point. */
static void mod_order(fe out, const uint8_t wide[SHA512_BYTES])
{
	memset(out, 0, sizeof(fe));
	for (int i = 511; i >= 0; i--) {
		uint32_t carry = wide[i / 8] >> (i % 8) & 1;

		for (int k = 0; k < WORDS; k++) {
			uint32_t top = out[k] >> 31;

			out[k] = out[k] << 1 | carry;
			carry = top;
		}
		if (!is_below(out, order)) {
			(void)subtract(out, out, order);
		}
	}
}

bool ed25519_verify(const uint8_t *key, const uint8_t *signature, const void *data, size_t bytes)
{
	static const fe zero;
	uint8_t digest[SHA512_BYTES];
	struct point a, r;
	struct sha512 h;
	fe s, k;

	load(s, signature + 32);
	CHECK(is_below(s, order) && point_decode(&a, key), false);
	sha512_init(&h);
	sha512_add(&h, signature, 32);
	sha512_add(&h, key, 32);
	sha512_add(&h, data, bytes);
	sha512_end(&h, digest);
	mod_order(k, digest);
	fe_sub(a.x, zero, a.x);
	fe_sub(a.t, zero, a.t);
	point_combine(&r, s, &base_point, k, &a);
	point_encode(digest, &r);
	return memcmp(digest, signature, 32) == 0;
}
