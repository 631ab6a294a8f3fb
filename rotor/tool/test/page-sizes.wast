;; Custom page sizes between modules with one memory each; the proposal's own file uses several in one module.

(module $small
  (memory (export "memory") 100 1000 (pagesize 1))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))
(register "small" $small)

(module $large
  (memory (export "memory") 1 2 (pagesize 65536)))
(register "large" $large)

(assert_unlinkable
  (module (memory (import "small" "memory") 0 (pagesize 65536)))
  "incompatible import type")
(assert_unlinkable
  (module (memory (import "small" "memory") 0))
  "incompatible import type")
(assert_unlinkable
  (module (memory (import "large" "memory") 0 (pagesize 1)))
  "incompatible import type")

(module (memory (import "large" "memory") 0))
(module (memory (import "large" "memory") 1 2 (pagesize 65536)))

(module
  (memory (import "small" "memory") 100 1000 (pagesize 1))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load32") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))

(assert_return (invoke $small "store" (i32.const 99) (i32.const 7)))
(assert_return (invoke "load" (i32.const 99)) (i32.const 7))
(assert_return (invoke "size") (i32.const 100))
(assert_trap (invoke "load" (i32.const 100)) "out of bounds memory access")
(assert_return (invoke "load32" (i32.const 96)) (i32.const 0x07000000))
(assert_trap (invoke "load32" (i32.const 97)) "out of bounds memory access")
(assert_return (invoke "grow" (i32.const 1)) (i32.const 100))
(assert_return (invoke "load32" (i32.const 97)) (i32.const 0x00070000))
(assert_return (invoke "grow" (i32.const 899)) (i32.const 101))
(assert_return (invoke "grow" (i32.const 1)) (i32.const -1))
(assert_return (invoke "size") (i32.const 1000))
(assert_trap (invoke $small "store" (i32.const 1000) (i32.const 7)) "out of bounds memory access")

;; Bulk operations and segments end at the byte, not at the page.
(module
  (memory 13 (pagesize 1))
  (data "abcdef")
  (data (i32.const 10) "xyz")
  (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 1) (local.get 1)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "init") (param i32 i32) (memory.init 0 (local.get 0) (i32.const 0) (local.get 1)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))
(assert_return (invoke "load" (i32.const 12)) (i32.const 122))
(assert_return (invoke "fill" (i32.const 10) (i32.const 3)))
(assert_trap (invoke "fill" (i32.const 10) (i32.const 4)) "out of bounds memory access")
(assert_return (invoke "init" (i32.const 7) (i32.const 6)))
(assert_trap (invoke "init" (i32.const 8) (i32.const 6)) "out of bounds memory access")
(assert_return (invoke "copy" (i32.const 0) (i32.const 7) (i32.const 6)))
(assert_trap (invoke "copy" (i32.const 0) (i32.const 8) (i32.const 6)) "out of bounds memory access")
(assert_return (invoke "load" (i32.const 5)) (i32.const 102))

(assert_trap
  (module (memory 2 (pagesize 1)) (data (i32.const 0) "abc"))
  "out of bounds memory access")

;; More pages than 65536 are fine when they are of one byte.
(module
  (memory 70000 (pagesize 1))
  (func (export "size") (result i32) (memory.size))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0))))
(assert_return (invoke "size") (i32.const 70000))
(assert_return (invoke "load" (i32.const 69999)) (i32.const 0))
(assert_trap (invoke "load" (i32.const 70000)) "out of bounds memory access")
