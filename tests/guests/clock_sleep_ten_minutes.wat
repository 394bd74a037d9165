;; Sixty times: makes a file, sleeps ten seconds, removes the file. Then exits with the minutes that have passed on the
;; monotonic clock times 10, plus those on the wall clock; with 1 if a file operation fails.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\04\00\00\00")
  (data (i32.const 16) "made")
  (func $check (param i32) (if (local.get 0) (then (call $proc_exit (i32.const 1)))))
  ;; Clocks: 0 is the wall clock, 1 the monotonic one.
  (func $now (param $clock i32) (result i64)
    (call $check (call $clock_time_get (local.get $clock) (i64.const 1) (i32.const 40)))
    (i64.load (i32.const 40)))
  (func $sleep
    ;; subscription: userdata 64, tag 72 (0: clock), id 80, timeout 88, precision 96, flags 104
    (i32.store (i32.const 80) (i32.const 1))
    (i64.store (i32.const 88) (i64.const 10000000000))
    (call $check (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 32))))
  (func $file
    (call $check (call $path_open (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 1)
      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 32)))
    (call $check (call $fd_write (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $check (call $fd_close (i32.load (i32.const 32)))))
  (func $minutes (param $since i64) (param $clock i32) (result i32)
    (i32.wrap_i64 (i64.div_u (i64.sub (call $now (local.get $clock)) (local.get $since)) (i64.const 60000000000))))
  (func (export "_start") (local $left i32) (local $wall i64) (local $monotonic i64)
    (local.set $wall (call $now (i32.const 0)))
    (local.set $monotonic (call $now (i32.const 1)))
    (local.set $left (i32.const 60))
    (loop $more
      (call $file)
      (call $sleep)
      (call $check (call $unlink (i32.const 3) (i32.const 16) (i32.const 4)))
      (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (call $proc_exit (i32.add
      (i32.mul (call $minutes (local.get $monotonic) (i32.const 1)) (i32.const 10))
      (call $minutes (local.get $wall) (i32.const 0))))))
