;; The 32 columns of a page's checksum, eight vectors of four columns: what page-sum.ts tells. Assembled into page-sum.ts;
;; page-sum.test.ts assembles it again and compares.
(module
  (memory (export "memory") 1)

  ;; One step of FNV-1a with an extra shift: x * 16777619 ^ (x >> 17).
  (func $mix (param $x v128) (result v128)
    (v128.xor
      (i32x4.mul (local.get $x) (v128.const i32x4 16777619 16777619 16777619 16777619))
      (i32x4.shr_u (local.get $x) (i32.const 17))))

  ;; The columns of the page at $at, joined by XOR; $bytes is a multiple of 128 and more than that.
  (func (export "sum") (param $at i32) (param $bytes i32) (result i32)
    (local $end i32)
    (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128)
    (local $s4 v128) (local $s5 v128) (local $s6 v128) (local $s7 v128)
    (local.set $end (i32.add (local.get $at) (local.get $bytes)))
    (local.set $s0 (v128.const i32x4 0x5b1f36e9 0xb8525960 0x02ab50aa 0x1de66d2a))
    (local.set $s1 (v128.const i32x4 0x79ff467a 0x9bb9f8a3 0x217e7cd2 0x83e13d2c))
    (local.set $s2 (v128.const i32x4 0xf8d4474f 0xe39eb970 0x42c6ae16 0x993216fa))
    (local.set $s3 (v128.const i32x4 0x7b093b5d 0x98daff3c 0xf718902a 0x0b1c9cdb))
    (local.set $s4 (v128.const i32x4 0xe58f764b 0x187636bc 0x5d7b3bb1 0xe73de7de))
    (local.set $s5 (v128.const i32x4 0x92bec979 0xcca6c0b2 0x304a0979 0x85aa43d4))
    (local.set $s6 (v128.const i32x4 0x783125bb 0x6ca8eaa2 0xe407eac6 0x4b5cfc3e))
    (local.set $s7 (v128.const i32x4 0x9fbf8c76 0x15ca20be 0xf2ca9fd3 0x959bd756))

    ;; The first row: pd_checksum, the low half of the third word, counts as zero.
    (local.set $s0 (call $mix (v128.xor (local.get $s0) (v128.and (v128.load offset=0 (local.get $at)) (v128.const i32x4 -1 -1 0xffff0000 -1)))))
    (local.set $s1 (call $mix (v128.xor (local.get $s1) (v128.load offset=16 (local.get $at)))))
    (local.set $s2 (call $mix (v128.xor (local.get $s2) (v128.load offset=32 (local.get $at)))))
    (local.set $s3 (call $mix (v128.xor (local.get $s3) (v128.load offset=48 (local.get $at)))))
    (local.set $s4 (call $mix (v128.xor (local.get $s4) (v128.load offset=64 (local.get $at)))))
    (local.set $s5 (call $mix (v128.xor (local.get $s5) (v128.load offset=80 (local.get $at)))))
    (local.set $s6 (call $mix (v128.xor (local.get $s6) (v128.load offset=96 (local.get $at)))))
    (local.set $s7 (call $mix (v128.xor (local.get $s7) (v128.load offset=112 (local.get $at)))))
    (local.set $at (i32.add (local.get $at) (i32.const 128)))
    (loop $row
      (local.set $s0 (call $mix (v128.xor (local.get $s0) (v128.load offset=0 (local.get $at)))))
      (local.set $s1 (call $mix (v128.xor (local.get $s1) (v128.load offset=16 (local.get $at)))))
      (local.set $s2 (call $mix (v128.xor (local.get $s2) (v128.load offset=32 (local.get $at)))))
      (local.set $s3 (call $mix (v128.xor (local.get $s3) (v128.load offset=48 (local.get $at)))))
      (local.set $s4 (call $mix (v128.xor (local.get $s4) (v128.load offset=64 (local.get $at)))))
      (local.set $s5 (call $mix (v128.xor (local.get $s5) (v128.load offset=80 (local.get $at)))))
      (local.set $s6 (call $mix (v128.xor (local.get $s6) (v128.load offset=96 (local.get $at)))))
      (local.set $s7 (call $mix (v128.xor (local.get $s7) (v128.load offset=112 (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 128)))
      (br_if $row (i32.lt_u (local.get $at) (local.get $end))))

    ;; Two rounds of zeros, and all columns joined.
    (local.set $s0 (call $mix (call $mix (local.get $s0))))
    (local.set $s0 (v128.xor (local.get $s0) (call $mix (call $mix (local.get $s1)))))
    (local.set $s0 (v128.xor (local.get $s0) (call $mix (call $mix (local.get $s2)))))
    (local.set $s0 (v128.xor (local.get $s0) (call $mix (call $mix (local.get $s3)))))
    (local.set $s0 (v128.xor (local.get $s0) (call $mix (call $mix (local.get $s4)))))
    (local.set $s0 (v128.xor (local.get $s0) (call $mix (call $mix (local.get $s5)))))
    (local.set $s0 (v128.xor (local.get $s0) (call $mix (call $mix (local.get $s6)))))
    (local.set $s0 (v128.xor (local.get $s0) (call $mix (call $mix (local.get $s7)))))
    (i32.xor
      (i32.xor (i32x4.extract_lane 0 (local.get $s0)) (i32x4.extract_lane 1 (local.get $s0)))
      (i32.xor (i32x4.extract_lane 2 (local.get $s0)) (i32x4.extract_lane 3 (local.get $s0)))))
)
