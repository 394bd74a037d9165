;; Prints "yes" lines until that fails; exits with the errno.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\04\00\00\00")
  (data (i32.const 16) "yes\0a")
  (func (export "_start") (local $errno i32)
    (loop $more
      (br_if $more (i32.eqz (local.tee $errno
        (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))))
    (call $proc_exit (local.get $errno))))
