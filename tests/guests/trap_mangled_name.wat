;; Traps in a function that has the name of a Rust function, as a Rust compiler writes it.
(module
  (func $_ZN3web6header5parse17h0123456789abcdefE unreachable)
  (func (export "_start") (call $_ZN3web6header5parse17h0123456789abcdefE)))
