;; Traps three calls deep.
(module
  (func $parse_header unreachable)
  (func $handle (call $parse_header))
  (func $main (export "_start") (call $handle)))
