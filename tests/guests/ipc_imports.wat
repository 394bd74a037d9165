;; Uses every function of wasmpod_ipc, with good and with wild pointers, in one container.
;; Exits with the number of the first check that failed, or with 0.
(module
  (import "wasmpod_ipc" "mq_open" (func $mq_open (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasmpod_ipc" "mq_close" (func $mq_close (param i32) (result i32)))
  (import "wasmpod_ipc" "mq_unlink" (func $mq_unlink (param i32 i32) (result i32)))
  (import "wasmpod_ipc" "mq_getattr" (func $mq_getattr (param i32 i32) (result i32)))
  (import "wasmpod_ipc" "mq_setattr" (func $mq_setattr (param i32 i32) (result i32)))
  (import "wasmpod_ipc" "mq_try_send" (func $mq_try_send (param i32 i32 i32 i32) (result i32)))
  (import "wasmpod_ipc" "mq_try_receive" (func $mq_try_receive (param i32 i32 i32 i32) (result i32)))
  (import "wasmpod_ipc" "mq_wait" (func $mq_wait (param i32 i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "/q")
  (data (i32.const 16) "message")
  (global $check (mut i32) (i32.const 0))

  ;; Ends the guest unless both are equal.
  (func $same (param $got i32) (param $want i32)
    (global.set $check (i32.add (global.get $check) (i32.const 1)))
    (if (i32.ne (local.get $got) (local.get $want))
      (then (call $proc_exit (global.get $check)))))

  (func (export "_start") (local $mqd i32)
    ;; 1: no such queue (ENOENT 44). 2: a name outside of the memory (EFAULT 21).
    (call $same (call $mq_open (i32.const 0) (i32.const 2) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 44))
    (call $same (call $mq_open (i32.const -1) (i32.const 2) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 21))
    ;; 3: no place for the descriptor (EFAULT): nothing may have been made, so 4 is still ENOENT.
    (call $same (call $mq_open (i32.const 0) (i32.const 2) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 65533)) (i32.const 21))
    (call $same (call $mq_open (i32.const 0) (i32.const 2) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 44))
    ;; 5: unknown flags (EINVAL 28). 6: create with 2 messages of 16 bytes.
    (call $same (call $mq_open (i32.const 0) (i32.const 2) (i32.const 256) (i32.const 0) (i32.const 0) (i32.const 64)) (i32.const 28))
    (call $same (call $mq_open (i32.const 0) (i32.const 2) (i32.const 7) (i32.const 2) (i32.const 16) (i32.const 64)) (i32.const 0))
    (local.set $mqd (i32.load (i32.const 64)))
    ;; 7: empty (EAGAIN 6). 8: waiting 1 ms for a message (ETIMEDOUT 73).
    (call $same (call $mq_try_receive (local.get $mqd) (i32.const 128) (i32.const 16) (i32.const 64)) (i32.const 6))
    (call $same (call $mq_wait (local.get $mqd) (i32.const 0) (i64.const 1000000)) (i32.const 73))
    ;; 9: data outside of the memory. 10: data whose end overflows. 11: too long (EMSGSIZE 35).
    (call $same (call $mq_try_send (local.get $mqd) (i32.const 65530) (i32.const 7) (i32.const 0)) (i32.const 21))
    (call $same (call $mq_try_send (local.get $mqd) (i32.const -4) (i32.const -4) (i32.const 0)) (i32.const 21))
    (call $same (call $mq_try_send (local.get $mqd) (i32.const 16) (i32.const 17) (i32.const 0)) (i32.const 35))
    ;; 12, 13: two messages fit. 14: a third does not (EAGAIN).
    (call $same (call $mq_try_send (local.get $mqd) (i32.const 16) (i32.const 7) (i32.const 1)) (i32.const 0))
    (call $same (call $mq_try_send (local.get $mqd) (i32.const 16) (i32.const 3) (i32.const 9)) (i32.const 0))
    (call $same (call $mq_try_send (local.get $mqd) (i32.const 16) (i32.const 3) (i32.const 9)) (i32.const 6))
    ;; 15 to 18: results outside of the memory or a buffer that is too short, and no message is lost.
    (call $same (call $mq_try_receive (local.get $mqd) (i32.const 128) (i32.const 16) (i32.const 65530)) (i32.const 21))
    (call $same (call $mq_try_receive (local.get $mqd) (i32.const 65530) (i32.const 16) (i32.const 64)) (i32.const 21))
    (call $same (call $mq_try_receive (local.get $mqd) (i32.const 128) (i32.const 15) (i32.const 64)) (i32.const 35))
    (call $same (call $mq_getattr (local.get $mqd) (i32.const 65530)) (i32.const 21))
    ;; 19 to 23: nonblocking, 2 messages of 16 bytes, 2 in it.
    (call $same (call $mq_setattr (local.get $mqd) (i32.const 16)) (i32.const 0))
    (call $same (call $mq_getattr (local.get $mqd) (i32.const 64)) (i32.const 0))
    (call $same (i32.load (i32.const 64)) (i32.const 16))
    (call $same (i32.load (i32.const 72)) (i32.const 16))
    (call $same (i32.load (i32.const 76)) (i32.const 2))
    ;; 24 to 26: the message of the higher priority comes first.
    (call $same (call $mq_try_receive (local.get $mqd) (i32.const 128) (i32.const 16) (i32.const 64)) (i32.const 0))
    (call $same (i32.load (i32.const 64)) (i32.const 3))
    (call $same (i32.load (i32.const 68)) (i32.const 9))
    ;; 27, 28: now there is space, and a message.
    (call $same (call $mq_wait (local.get $mqd) (i32.const 1) (i64.const -1)) (i32.const 0))
    (call $same (call $mq_wait (local.get $mqd) (i32.const 0) (i64.const -1)) (i32.const 0))
    ;; 29, 30: the other message, byte for byte.
    (call $same (call $mq_try_receive (local.get $mqd) (i32.const 128) (i32.const 16) (i32.const 64)) (i32.const 0))
    (call $same (i32.load (i32.const 131)) (i32.load (i32.const 19)))
    ;; 31: what else to wait for (EINVAL). 32 to 34: descriptors that are not open (EBADF 8).
    (call $same (call $mq_wait (local.get $mqd) (i32.const 2) (i64.const -1)) (i32.const 28))
    (call $same (call $mq_try_send (i32.const 77) (i32.const 16) (i32.const 7) (i32.const 1)) (i32.const 8))
    (call $same (call $mq_close (i32.const -1)) (i32.const 8))
    (call $same (call $mq_wait (i32.const 77) (i32.const 0) (i64.const -1)) (i32.const 8))
    ;; 35 to 37: close once, not twice; unlink once.
    (call $same (call $mq_close (local.get $mqd)) (i32.const 0))
    (call $same (call $mq_close (local.get $mqd)) (i32.const 8))
    (call $same (call $mq_unlink (i32.const 0) (i32.const 2)) (i32.const 0))
    (call $same (call $mq_unlink (i32.const 0) (i32.const 2)) (i32.const 44))))
