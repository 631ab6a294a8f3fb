;; Corners of the translation and of the binary format.

;; A value goes to its slot after the address has been computed from what lies there.
(module (memory 3)
  (func $f (param i32) (result i32) local.get 0)
  (func $g (param i64) (result i64) local.get 0)
  (func (export "add") (result i32)
    (i32.store offset=70000 (i32.add (call $f (i32.const 4)) (call $f (i32.const 8))) (i32.const 77))
    (i32.load (i32.const 70012)))
  (func (export "add64") (result i64)
    (i64.store offset=70000 (i32.add (call $f (i32.const 4)) (call $f (i32.const 8))) (i64.const 0x123456789abcdef))
    (i64.load (i32.const 70012)))
  (func (export "float") (result f64)
    (f64.store offset=70000 (i32.mul (call $f (i32.const 4)) (call $f (i32.const 8))) (f64.const 1.5))
    (f64.load (i32.const 70032)))
  (func (export "select") (param i32) (result i32)
    (i32.store offset=70000
      (select (call $f (i32.const 4)) (call $f (i32.const 8)) (call $f (local.get 0))) (i32.const 77))
    (i32.add (i32.load (i32.const 70004)) (i32.mul (i32.const 2) (i32.load (i32.const 70008)))))
  (func (export "less") (result i32)
    (i32.store offset=70000 (i64.lt_s (call $g (i64.const 4)) (call $g (i64.const 8))) (i32.const 77))
    (i32.load (i32.const 70001)))
  (func (export "load") (param i32) (result i32)
    (i32.store (i32.const 16) (i32.const 24))
    (i32.store offset=70000 (i32.load (call $f (i32.const 16))) (i32.add (local.get 0) (i32.const 3)))
    (i32.load (i32.const 70024))))
(assert_return (invoke "add") (i32.const 77))
(assert_return (invoke "add64") (i64.const 0x123456789abcdef))
(assert_return (invoke "float") (f64.const 1.5))
(assert_return (invoke "select" (i32.const 1)) (i32.const 77))
(assert_return (invoke "less") (i32.const 77))
(assert_return (invoke "load" (i32.const 74)) (i32.const 77))

;; Block types: an index is never a value type, a value type is one byte.
(assert_invalid
  (module binary "\00asm" "\01\00\00\00"
    "\01\04\01\60\00\00"                      ;; type 0: [] -> []
    "\03\02\01\00"
    "\0a\0b\01\09\00" "\02\c0\80\80\80\08" "\0b\0b") ;; block, type 0x80000040
  "unknown type")
(assert_invalid
  (module binary "\00asm" "\01\00\00\00"
    "\01\04\01\60\00\00"
    "\03\02\01\00"
    "\0a\0e\01\0c\00" "\02\ff\80\80\80\08" "\41\00\0b\1a\0b") ;; block, type 0x8000007f
  "unknown type")
(assert_malformed
  (module binary "\00asm" "\01\00\00\00"
    "\01\04\01\60\00\00"
    "\03\02\01\00"
    "\0a\0b\01\09\00" "\02\ff\7f" "\41\00\0b\1a\0b") ;; block, i32 in two bytes
  "malformed block type")
(assert_malformed
  (module binary "\00asm" "\01\00\00\00"
    "\01\04\01\60\00\00"
    "\03\02\01\00"
    "\0a\08\01\06\00" "\02\c0\7f" "\0b\0b") ;; block, no type in two bytes
  "malformed block type")
