;; Asks process 1 of its container to end; exits with what that call has given.
(module
  (import "wasmpod_lifecycle" "process_kill" (func $kill (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (call $proc_exit (call $kill (i32.const 1) (i32.const 15)))))
