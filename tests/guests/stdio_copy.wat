;; Copies its standard input to its standard output until the end; exits with the first errno.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  ;; At 0 the place to read to; at 8 what to write; at 16 the number of bytes read, at 20 written.
  (data (i32.const 0) "\00\10\00\00\00\10\00\00")
  (func $check (param i32) (if (local.get 0) (then (call $proc_exit (local.get 0)))))
  (func (export "_start")
    (loop $more
      (call $check (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
      (if (i32.load (i32.const 16))
        (then
          (i32.store (i32.const 8) (i32.const 0x1000))
          (i32.store (i32.const 12) (i32.load (i32.const 16)))
          (loop $rest
            (call $check (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 20)))
            (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.load (i32.const 20))))
            (i32.store (i32.const 12) (i32.sub (i32.load (i32.const 12)) (i32.load (i32.const 20))))
            (br_if $rest (i32.load (i32.const 12))))
          (br $more))))))
