;; The one's-complement sum of memory[at, end) as little-endian 16-bit words, modulo 2^32, not folded.
;; Exact for up to 128 KiB, since 65536 words of at most 65535 do not overflow. The caller folds and swaps.
;; After editing: node scripts/build-wasm.js
(module
  (import "m" "memory" (memory 1))
  (func (export "sum") (param $at i32) (param $end i32) (result i32)
    (local $a v128) (local $b v128) (local $sum i32) (local $stop i32)

    ;; 64 bytes a turn, in two accumulators of four 32-bit lanes
    (local.set $stop (i32.sub (local.get $end) (i32.const 63)))
    (if (i32.lt_s (local.get $at) (local.get $stop)) (then
      (loop $wide
        (local.set $a (i32x4.add (local.get $a) (i32x4.add
          (i32x4.extadd_pairwise_i16x8_u (v128.load align=1 (local.get $at)))
          (i32x4.extadd_pairwise_i16x8_u (v128.load offset=16 align=1 (local.get $at))))))
        (local.set $b (i32x4.add (local.get $b) (i32x4.add
          (i32x4.extadd_pairwise_i16x8_u (v128.load offset=32 align=1 (local.get $at)))
          (i32x4.extadd_pairwise_i16x8_u (v128.load offset=48 align=1 (local.get $at))))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br_if $wide (i32.lt_s (local.get $at) (local.get $stop))))))

    ;; 16 bytes a turn
    (local.set $stop (i32.add (local.get $stop) (i32.const 48)))
    (if (i32.lt_s (local.get $at) (local.get $stop)) (then
      (loop $narrow
        (local.set $a (i32x4.add (local.get $a)
          (i32x4.extadd_pairwise_i16x8_u (v128.load align=1 (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $narrow (i32.lt_s (local.get $at) (local.get $stop))))))

    (local.set $a (i32x4.add (local.get $a) (local.get $b)))
    (local.set $sum (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $a)) (i32x4.extract_lane 1 (local.get $a)))
      (i32.add (i32x4.extract_lane 2 (local.get $a)) (i32x4.extract_lane 3 (local.get $a)))))

    ;; what is left: at most 15 bytes
    (local.set $stop (i32.sub (local.get $end) (i32.const 1)))
    (if (i32.lt_s (local.get $at) (local.get $stop)) (then
      (loop $words
        (local.set $sum (i32.add (local.get $sum) (i32.load16_u align=1 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (br_if $words (i32.lt_s (local.get $at) (local.get $stop))))))
    (if (i32.lt_s (local.get $at) (local.get $end)) (then
      (local.set $sum (i32.add (local.get $sum) (i32.load8_u (local.get $at))))))
    (local.get $sum)))
