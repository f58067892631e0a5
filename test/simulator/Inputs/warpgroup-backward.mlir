// The backward pass of attention of bf16 by warpgroups for vit-emit-simt: more queries and keys than whole blocks and
// chunks, two warpgroups that multiply; other keys than queries, a bias, heads of two boxes and results of f32; one
// chunk, a factor that reverses the order of scores, and heads that are no whole boxes;
// small tiles, in which bugs are introduced, with several chunks in a pass and with one.
#whole = #kernel.tile<rows = 128, cols = 64, chunk = 32, threads = 384, thread_rows = 2, thread_cols = 16>
#wide = #kernel.tile<rows = 64, cols = 128, chunk = 16, threads = 256, thread_rows = 2, thread_cols = 32>
#uneven = #kernel.tile<rows = 64, cols = 80, chunk = 32, threads = 256, thread_rows = 2, thread_cols = 20>
#small = #kernel.tile<rows = 64, cols = 16, chunk = 16, threads = 256, thread_rows = 2, thread_cols = 4>
!x = tensor<?x150x192xbf16>
!y = tensor<?x150x64xbf16>
func.func @long(%dy: !y, %x: !x) -> (!y, !y, !y) {
  %0:3 = kernel.attention_backward %dy, %x, %x, %x heads 1 head_dim 64 offsets [0, 64, 128] scale 1.0e+00 tile #whole
      : (!y, !x, !x, !x) -> (!y, !y, !y)
  return %0#0, %0#1, %0#2 : !y, !y, !y
}
!q = tensor<?x70x128xbf16>
!kv = tensor<?x97x256xbf16>
!dq = tensor<?x70x128xf32>
!dk = tensor<?x97x128xf32>
func.func @others(%dy: !q, %q: !q, %kv: !kv, %bias: tensor<1x70x97xf32>) -> (!dq, !dk, !dk) {
  %0:3 = kernel.attention_backward %dy, %q, %kv, %kv bias %bias heads 1 head_dim 128 offsets [0, 0, 128] scale 5.0e-01 tile #wide
      : (!q, !q, !kv, !kv, tensor<1x70x97xf32>) -> (!dq, !dk, !dk)
  return %0#0, %0#1, %0#2 : !dq, !dk, !dk
}
!s = tensor<?x21x480xbf16>
!t = tensor<?x21x160xbf16>
func.func @short(%dy: !t, %x: !s) -> (!t, !t, !t) {
  %0:3 = kernel.attention_backward %dy, %x, %x, %x heads 2 head_dim 80 offsets [0, 160, 320] scale -1.0e+00 tile #uneven
      : (!t, !s, !s, !s) -> (!t, !t, !t)
  return %0#0, %0#1, %0#2 : !t, !t, !t
}
!z = tensor<?x70x16xbf16>
!g = tensor<?x70x16xf32>
func.func @small(%dy: !z, %q: !z, %k: !z, %v: !z) -> (!g, !g, !g) {
  %0:3 = kernel.attention_backward %dy, %q, %k, %v heads 1 head_dim 16 offsets [0, 0, 0] scale 1.0e+00 tile #small
      : (!z, !z, !z, !z) -> (!g, !g, !g)
  return %0#0, %0#1, %0#2 : !g, !g, !g
}
!i = tensor<?x10x16xbf16>
!j = tensor<?x10x16xf32>
func.func @few(%dy: !i, %q: !i, %k: !i, %v: !i) -> (!j, !j, !j) {
  %0:3 = kernel.attention_backward %dy, %q, %k, %v heads 1 head_dim 16 offsets [0, 0, 0] scale 1.0e+00 tile #small
      : (!i, !i, !i, !i) -> (!j, !j, !j)
  return %0#0, %0#1, %0#2 : !j, !j, !j
}
