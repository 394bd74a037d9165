;; Waits until it is asked to end, then exits with the seconds that it has left (255 if there is no limit); with an
;; argument it computes without end instead.
(module
  (import "wasmpod_lifecycle" "termination_wait" (func $wait (param i64) (result i64)))
  (import "wasmpod_lifecycle" "termination_requested" (func $requested (result i64)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $left i64)
    (if (i64.ne (call $requested) (i64.const -1)) (then (call $proc_exit (i32.const 1))))
    (if (i64.ne (call $wait (i64.const 0)) (i64.const -1)) (then (call $proc_exit (i32.const 2))))
    (local.set $left (i64.div_u (call $wait (i64.const -1)) (i64.const 1000000000)))
    (drop (call $args (i32.const 0) (i32.const 4)))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1)) (then (loop $again (br $again))))
    (if (i64.gt_u (local.get $left) (i64.const 255)) (then (local.set $left (i64.const 255))))
    (call $proc_exit (i32.wrap_i64 (local.get $left)))))
