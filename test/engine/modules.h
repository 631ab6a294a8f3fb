/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of engine_test.c and interrupt_test.c; beside each, its text. */
#ifndef TEST_ENGINE_MODULES_H
#define TEST_ENGINE_MODULES_H

#include <stdint.h>

/* clang-format off */

/*
(module
  (type $t (func (param i32) (result i32)))
  (import "env" "twice" (func $twice (type $t)))
  (table (export "table") 4 8 funcref) (memory (export "memory") 1 2)
  (global $g (export "g") (mut i64) (i64.const 5))
  (elem (i32.const 0) $fib $twice)
  (elem $e func $fib)
  (data (i32.const 16) "some bytes") (data $d "passive")
  (func $fib (export "fib") (type $t)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "work") (param $n i32) (result i64) (local $i i32) (local $s i64)
    (block $x (loop $l
      (i64.store (i32.and (i32.mul (local.get $i) (i32.const 8)) (i32.const 0x7ff8)) (i64.add (local.get $s) (i64.extend_i32_u (local.get $i))))
      (local.set $s (i64.add (i64.mul (local.get $s) (i64.const 31)) (i64.load (i32.and (i32.mul (local.get $i) (i32.const 24)) (i32.const 0x7ff8)))))
      (local.set $s (i64.add (local.get $s) (i64.extend_i32_u (call_indirect (type $t) (i32.and (local.get $i) (i32.const 7)) (i32.and (local.get $i) (i32.const 1))))))
      (br_table $l $x $x (i32.ge_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))))
    (global.set $g (local.get $s))
    (memory.fill (i32.const 40000) (i32.wrap_i64 (local.get $s)) (i32.const 5000))
    (memory.copy (i32.const 100) (i32.const 0) (i32.const 30000))
    (memory.init $d (i32.const 0) (i32.const 1) (i32.const 5))
    (i64.xor (global.get $g) (i64.load (i32.const 44000))))
  (func $down (export "down") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0)))))
 */
__attribute__((unused)) static const uint8_t module_mixed[] = {
	0,97,115,109,1,0,0,0,1,11,2,96,1,127,1,127,96,1,127,1,126,2,13,1,
	3,101,110,118,5,116,119,105,99,101,0,0,3,4,3,0,1,0,4,5,1,112,1,4,
	8,5,4,1,1,1,2,6,6,1,126,1,66,5,11,7,42,6,5,116,97,98,108,101,
	1,0,6,109,101,109,111,114,121,2,0,1,103,3,0,3,102,105,98,0,1,4,119,111,
	114,107,0,2,4,100,111,119,110,0,3,9,12,2,0,65,0,11,2,1,0,1,0,1,
	1,12,1,2,10,189,1,3,28,0,32,0,65,2,72,4,127,32,0,5,32,0,65,1,
	107,16,1,32,0,65,2,107,16,1,106,11,11,136,1,2,1,127,1,126,2,64,3,64,
	32,1,65,8,108,65,248,255,1,113,32,2,32,1,173,124,55,3,0,32,2,66,31,126,
	32,1,65,24,108,65,248,255,1,113,41,3,0,124,33,2,32,2,32,1,65,7,113,32,
	1,65,1,113,17,0,0,173,124,33,2,32,1,65,1,106,34,1,32,0,78,14,2,0,
	1,1,11,11,32,2,36,0,65,192,184,2,32,2,167,65,136,39,252,11,0,65,228,0,
	65,0,65,176,234,1,252,10,0,0,65,0,65,1,65,5,252,8,1,0,35,0,65,224,
	215,2,41,3,0,133,11,20,0,32,0,4,127,65,1,32,0,65,1,107,16,3,106,5,
	65,0,11,11,11,25,2,0,65,16,11,10,115,111,109,101,32,98,121,116,101,115,1,7,
	112,97,115,115,105,118,101,
};

/*
(module (memory 1 32768) (table $t 1 10000001 funcref)
  (func (export "loop") (loop (br 0)))
  (func $even (export "even") (param i32) (result i32) (return_call $odd (local.get 0)))
  (func $odd (param i32) (result i32) (return_call $even (local.get 0)))
  (func $deep (export "recursion") (call $deep2) ) (func $deep2 (call $deep))
  (func (export "fill") (drop (memory.grow (i32.const 3000))) (loop (memory.fill (i32.const 0) (i32.const 7) (i32.const 190000000)) (br 0)))
  (func (export "copy") (drop (memory.grow (i32.const 3000))) (loop (memory.copy (i32.const 1) (i32.const 0) (i32.const 190000000)) (br 0)))
  (func (export "grow") (loop (drop (memory.grow (i32.const 3000))) (br 0)))
  (func (export "tables") (drop (table.grow $t (ref.null func) (i32.const 5000000))) (loop (table.fill $t (i32.const 0) (ref.null func) (i32.const 5000000)) (br 0))))
 */
__attribute__((unused)) static const uint8_t module_endless[] = {
	0,97,115,109,1,0,0,0,1,9,2,96,0,0,96,1,127,1,127,3,10,9,0,1,
	1,0,0,0,0,0,0,4,8,1,112,1,1,129,173,226,4,5,6,1,1,1,128,128,
	2,7,57,7,4,108,111,111,112,0,0,4,101,118,101,110,0,1,9,114,101,99,117,114,
	115,105,111,110,0,3,4,102,105,108,108,0,5,4,99,111,112,121,0,6,4,103,114,111,
	119,0,7,6,116,97,98,108,101,115,0,8,10,133,1,9,7,0,3,64,12,0,11,11,
	6,0,32,0,18,2,11,6,0,32,0,18,1,11,4,0,16,4,11,4,0,16,3,11,
	26,0,65,184,23,64,0,26,3,64,65,0,65,7,65,128,215,204,218,0,252,11,0,12,
	0,11,11,27,0,65,184,23,64,0,26,3,64,65,1,65,0,65,128,215,204,218,0,252,
	10,0,0,12,0,11,11,13,0,3,64,65,184,23,64,0,26,12,0,11,11,30,0,208,
	112,65,192,150,177,2,252,15,0,26,3,64,65,0,208,112,65,192,150,177,2,252,17,0,
	12,0,11,11,
};

/*
(module (func $s (loop (br 0))) (start $s))
 */
__attribute__((unused)) static const uint8_t module_start[] = {
	0,97,115,109,1,0,0,0,1,4,1,96,0,0,3,2,1,0,8,1,0,10,9,1,
	7,0,3,64,12,0,11,11,
};

/*
(module (memory (export "memory") 1) (global $sp (mut i32) (i32.const 4096)) (global (export "__heap_base") i32 (i32.const 6144))
  (data (i32.const 4096) "data")
  (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0))))
 */
__attribute__((unused)) static const uint8_t module_small[] = {
	0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,127,3,2,1,0,5,3,1,0,
	1,6,13,2,127,1,65,128,32,11,127,0,65,128,48,11,7,28,3,6,109,101,109,111,
	114,121,2,0,11,95,95,104,101,97,112,95,98,97,115,101,3,1,1,102,0,0,10,9,
	1,7,0,32,0,45,0,0,11,11,11,1,0,65,128,32,11,4,100,97,116,97,
};
/*
(module
  (import "env" "memset" (func $memset (param i32 i32 i32) (result i32)))
  (import "env" "memcpy" (func $memcpy (param i32 i32 i32) (result i32)))
  (import "env" "strlen" (func $strlen (param i32) (result i32)))
  (import "env" "strstr" (func $strstr (param i32 i32) (result i32)))
  (memory 4 4096)
  (func (export "work") (param $n i32) (result i32)
    (drop (call $memset (i32.const 8) (i32.const 97) (local.get $n)))
    (drop (call $memset (i32.const 8) (i32.const 98) (i32.div_u (local.get $n) (i32.const 3))))
    (drop (call $memcpy (i32.const 9) (i32.const 8) (local.get $n)))
    (drop (call $memcpy (i32.const 8) (i32.const 20) (local.get $n)))
    (i32.store (i32.const 0) (i32.const 0x6161))
    (i32.add (call $strlen (i32.const 8)) (call $strstr (i32.const 8) (i32.const 0))))
  (func $room (drop (memory.grow (i32.const 3000))) (drop (call $memset (i32.const 8) (i32.const 97) (i32.const 190000000))) (i32.store (i32.const 0) (i32.const 0x62)))
  (func (export "memset") (call $room) (loop (drop (call $memset (i32.const 8) (i32.const 7) (i32.const 190000000))) (br 0)))
  (func (export "memcpy") (call $room) (loop (drop (call $memcpy (i32.const 9) (i32.const 8) (i32.const 190000000))) (br 0)))
  (func (export "strlen") (call $room) (loop (drop (call $strlen (i32.const 8))) (br 0)))
  (func (export "strstr") (call $room) (loop (drop (call $strstr (i32.const 8) (i32.const 0))) (br 0))))
 */
__attribute__((unused)) static const uint8_t module_libc[] = {
	0,97,115,109,1,0,0,0,1,22,4,96,3,127,127,127,1,127,96,1,127,1,127,96,2,127,
	127,1,127,96,0,0,2,53,4,3,101,110,118,6,109,101,109,115,101,116,0,0,3,101,
	110,118,6,109,101,109,99,112,121,0,0,3,101,110,118,6,115,116,114,108,101,
	110,0,1,3,101,110,118,6,115,116,114,115,116,114,0,2,3,7,6,1,3,3,3,3,3,5,
	5,1,1,4,128,32,7,44,5,4,119,111,114,107,0,4,6,109,101,109,115,101,116,0,
	6,6,109,101,109,99,112,121,0,7,6,115,116,114,108,101,110,0,8,6,115,116,114,
	115,116,114,0,9,10,174,1,6,63,0,65,8,65,225,0,32,0,16,0,26,65,8,65,226,0,
	32,0,65,3,110,16,0,26,65,9,65,8,32,0,16,1,26,65,8,65,20,32,0,16,1,26,65,
	0,65,225,194,1,54,2,0,65,8,16,2,65,8,65,0,16,3,106,11,30,0,65,184,23,64,
	0,26,65,8,65,225,0,65,128,215,204,218,0,16,0,26,65,0,65,226,0,54,2,0,11,
	22,0,16,5,3,64,65,8,65,7,65,128,215,204,218,0,16,0,26,12,0,11,11,22,0,16,
	5,3,64,65,9,65,8,65,128,215,204,218,0,16,1,26,12,0,11,11,14,0,16,5,3,64,
	65,8,16,2,26,12,0,11,11,16,0,16,5,3,64,65,8,65,0,16,3,26,12,0,11,11,
};

/* clang-format on */

#endif
