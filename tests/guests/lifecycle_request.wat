;; Asks process 1 of its container to end.
(module
  (import "wasmpod_lifecycle" "termination_request" (func $request))
  (memory (export "memory") 1)
  (func (export "_start") (call $request)))
