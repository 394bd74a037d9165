;; Computes without end and without calling the host.
(module
  (func (export "_start") (loop $again (br $again))))
