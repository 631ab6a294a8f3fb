;; Declares one page of 64 KiB and says that it uses 6 KiB of it.
(module
  (import "env" "malloc" (func $malloc (param i32) (result i32)))
  (memory (export "memory") 1)
  (global (export "__heap_base") i32 (i32.const 6144))
  (func (export "sum") (result i32)
    (local $i i32) (local $sum i32)
    (loop $fill
      (i32.store8 (local.get $i) (local.get $i))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 6144))))
    (local.set $i (i32.const 0))
    (loop $add
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $i))))
      (br_if $add (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 6144))))
    (local.get $sum))
  (func (export "beyond") (result i32) (i32.load (i32.const 65000)))
  (func (export "size") (result i32) (memory.size))
  (func (export "heap") (result i32)
    (local $p i32)
    (i32.store8 (i32.add (local.tee $p (call $malloc (i32.const 15000))) (i32.const 14999)) (i32.const 77))
    (i32.load8_u (i32.add (local.get $p) (i32.const 14999)))))
