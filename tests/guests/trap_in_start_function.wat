;; Traps while it is instantiated.
(module
  (func $init unreachable)
  (start $init)
  (func (export "_start")))
