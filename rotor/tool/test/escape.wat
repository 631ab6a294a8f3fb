(module (func (export "a\1b[31mred\c2\9bb")))
