(module
  (import "env" "no_such_function" (func (param i32)))
  (func (export "main")))
