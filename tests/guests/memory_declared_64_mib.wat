;; Wants 64 MiB from the start.
(module
  (memory (export "memory") 1024)
  (func (export "_start")))
