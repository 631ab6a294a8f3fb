(module
  (import "env" "log" (func $log (param i32 i32)))
  (memory 1)
  (data (i32.const 8) "hello from a module")
  (func (export "hello") (result i32)
    (call $log (i32.const 8) (i32.const 19))
    (i32.const 42))
  (func (export "bad") (call $log (i32.const 65530) (i32.const 10))))
