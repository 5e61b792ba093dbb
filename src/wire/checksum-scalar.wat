;; The same as checksum-simd.wat for engines without 128-bit SIMD: 32-bit loads into a 64-bit accumulator.
;; 2^32 is 1 modulo 65535, so adding the accumulator's halves keeps the one's-complement sum.
;; After editing: node scripts/build-wasm.js
(module
  (import "m" "memory" (memory 1))
  (func (export "sum") (param $at i32) (param $end i32) (result i32)
    (local $sum i64) (local $stop i32)

    ;; 32 bytes a turn
    (local.set $stop (i32.sub (local.get $end) (i32.const 31)))
    (if (i32.lt_s (local.get $at) (local.get $stop)) (then
      (loop $wide
        (local.set $sum (i64.add (local.get $sum) (i64.add
          (i64.add
            (i64.add (i64.load32_u align=1 (local.get $at)) (i64.load32_u offset=4 align=1 (local.get $at)))
            (i64.add (i64.load32_u offset=8 align=1 (local.get $at)) (i64.load32_u offset=12 align=1 (local.get $at))))
          (i64.add
            (i64.add (i64.load32_u offset=16 align=1 (local.get $at)) (i64.load32_u offset=20 align=1 (local.get $at)))
            (i64.add (i64.load32_u offset=24 align=1 (local.get $at)) (i64.load32_u offset=28 align=1 (local.get $at)))))))
        (local.set $at (i32.add (local.get $at) (i32.const 32)))
        (br_if $wide (i32.lt_s (local.get $at) (local.get $stop))))))

    ;; what is left: at most 31 bytes
    (local.set $stop (i32.sub (local.get $end) (i32.const 1)))
    (if (i32.lt_s (local.get $at) (local.get $stop)) (then
      (loop $words
        (local.set $sum (i64.add (local.get $sum) (i64.load16_u align=1 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (br_if $words (i32.lt_s (local.get $at) (local.get $stop))))))
    (if (i32.lt_s (local.get $at) (local.get $end)) (then
      (local.set $sum (i64.add (local.get $sum) (i64.load8_u (local.get $at))))))

    (local.set $sum (i64.add
      (i64.and (local.get $sum) (i64.const 0xffffffff)) (i64.shr_u (local.get $sum) (i64.const 32))))
    (i32.wrap_i64 (i64.add
      (i64.and (local.get $sum) (i64.const 0xffffffff)) (i64.shr_u (local.get $sum) (i64.const 32))))))
