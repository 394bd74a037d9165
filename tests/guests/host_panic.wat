;; Calls a host function that panics; only the runtime's own tests have it.
(module
  (import "wasi_snapshot_preview1" "test_panic" (func $test_panic))
  (func (export "_start") (call $test_panic)))
