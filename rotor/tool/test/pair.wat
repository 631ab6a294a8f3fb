;; A load and a store that follow each other may be one operation of the form: a trap says which of them.
(module
  (memory 1)
  (func $first (export "first") (param i32 i32)
    (i32.store8 (i32.add (local.get 0) (i32.const 4)) (i32.load8_u (i32.add (local.get 1) (i32.const 4)))))
  (func $second (export "second") (param i32 i32)
    (i32.store8 (i32.add (local.get 1) (i32.const 4)) (i32.load8_u (i32.add (local.get 0) (i32.const 4))))))
