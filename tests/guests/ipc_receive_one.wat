;; Makes the queue "/q", waits for one message, and exits with its first byte.
(module
  (import "wasmpod_ipc" "mq_open" (func $mq_open (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasmpod_ipc" "mq_try_receive" (func $mq_try_receive (param i32 i32 i32 i32) (result i32)))
  (import "wasmpod_ipc" "mq_wait" (func $mq_wait (param i32 i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "/q")
  (func (export "_start")
    (drop (call $mq_open (i32.const 0) (i32.const 2) (i32.const 5) (i32.const 10) (i32.const 8) (i32.const 64)))
    (loop $again
      (drop (call $mq_wait (i32.load (i32.const 64)) (i32.const 0) (i64.const -1)))
      (br_if $again
        (call $mq_try_receive (i32.load (i32.const 64)) (i32.const 128) (i32.const 8) (i32.const 96))))
    (call $proc_exit (i32.load8_u (i32.const 128)))))
