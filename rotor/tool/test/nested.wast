;; Calls that come back to an instance which waits for another one's answer.

(module $B
  (type $r (func (result i32)))
  (table (export "t") 4 funcref)
  (func (export "g") (result i32)
    (i32.add (i32.const 100) (call_indirect (type $r) (i32.const 0)))))
(register "b" $B)

;; The inner call of $A asks an import, too: the outer one's answer still goes where it belongs.
(module $A
  (import "b" "g" (func $bg (result i32)))
  (import "b" "t" (table 4 funcref))
  (import "spectest" "print_i32" (func $print (param i32)))
  (elem (i32.const 0) $h)
  (func $h (result i32) (call $print (i32.const 7)) (i32.const 5))
  (func (export "f") (result i32) (local i32)
    (local.set 0 (i32.const 1000))
    (i32.add (local.get 0) (call $bg))))
(assert_return (invoke "f") (i32.const 1105))
(assert_return (invoke "f") (i32.const 1105))

;; A trap in the inner call ends all of them, as often as it comes.
(module $T
  (import "b" "g" (func $bg (result i32)))
  (import "b" "t" (table 4 funcref))
  (elem (i32.const 0) $h)
  (func $h (result i32) unreachable)
  (func (export "ok") (result i32) (i32.const 1))
  (func (export "f") (result i32) (i32.add (i32.const 1000) (call $bg))))
(assert_trap (invoke "f") "unreachable")
(assert_return (invoke "ok") (i32.const 1))
(assert_return (invoke "ok") (i32.const 1))
(assert_trap (invoke "f") "unreachable")
(assert_trap (invoke "f") "unreachable")
(assert_return (invoke "ok") (i32.const 1))

;; Between the two calls of $N lies one of an import of it, through a table.
(module $C
  (type $r (func (result i32)))
  (import "b" "t" (table 4 funcref))
  (func (export "cf") (result i32)
    (i32.add (i32.const 10) (call_indirect (type $r) (i32.const 1)))))
(register "c" $C)
(module $N
  (import "c" "cf" (func $cf (result i32)))
  (import "b" "g" (func $bg (result i32)))
  (import "b" "t" (table 4 funcref))
  (elem (i32.const 0) $cf $h)
  (func $h (result i32) (i32.const 5))
  (func (export "f") (result i32) (local i32)
    (local.set 0 (i32.const 1000))
    (i32.add (local.get 0) (call $bg))))
(assert_return (invoke "f") (i32.const 1115))
(assert_return (invoke "f") (i32.const 1115))

;; An instance that trapped may be linked anew, and then has another number in its group.
(module $D
  (type $r (func (result i32)))
  (table (export "t") 4 funcref)
  (elem (i32.const 0) $h)
  (func $h (result i32) (i32.const 5))
  (func (export "trap") unreachable)
  (func (export "g") (result i32) (call_indirect (type $r) (i32.const 0))))
(register "d" $D)
(assert_trap (invoke $D "trap") "unreachable")
(module
  (import "d" "g" (func $g (result i32)))
  (func (export "f") (result i32) (call $g)))
(assert_return (invoke "f") (i32.const 5))
