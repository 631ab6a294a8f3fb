(module
  (global $g (mut i32) (i32.const 1))
  (func $start (loop (br_if 0 (global.get $g))))
  (func (export "main") (result i32) (i32.const 7))
  (start $start))
