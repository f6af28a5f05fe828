;; Masks the first bytes of the memory with four bytes that repeat (RFC 6455 section 5.3), 32 at a time.
;;
;; The memory behind them is overwritten up to the next multiple of 32: with the key, so that the result there is zero and
;; counts as ASCII.
(module
  (memory (export "memory") 1 1)
  (func (export "mask")
    (param $length i32)
    (param $key i32)
    ;; Not 0 if a byte of the result is not ASCII.
    (result i32)
    (local $keys v128)
    (local $masked v128)
    (local $seen v128)
    (local $at i32)
    (local.set $keys (i32x4.splat (i32.rotr (local.get $key) (i32.shl (local.get $length) (i32.const 3)))))
    (v128.store (local.get $length) (local.get $keys))
    (v128.store offset=16 (local.get $length) (local.get $keys))
    (local.set $keys (i32x4.splat (local.get $key)))
    (loop $next
      (local.set $masked (v128.xor (v128.load (local.get $at)) (local.get $keys)))
      (local.set $seen (v128.or (local.get $seen) (local.get $masked)))
      (v128.store (local.get $at) (local.get $masked))
      (local.set $masked (v128.xor (v128.load offset=16 (local.get $at)) (local.get $keys)))
      (local.set $seen (v128.or (local.get $seen) (local.get $masked)))
      (v128.store offset=16 (local.get $at) (local.get $masked))
      (local.set $at (i32.add (local.get $at) (i32.const 32)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $length))))
    (i8x16.bitmask (local.get $seen))))
