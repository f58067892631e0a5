// Attention of bf16 by warpgroups for vit-emit-simt: more queries and keys than whole blocks, two warpgroups that
// multiply; other keys than queries, a bias, heads of two boxes and a result of f32; one block of keys, a factor that
// reverses the order of scores, and heads that are no whole boxes.
#whole = #kernel.tile<rows = 128, cols = 64, chunk = 32, threads = 384, thread_rows = 2, thread_cols = 16>
#wide = #kernel.tile<rows = 64, cols = 128, chunk = 48, threads = 256, thread_rows = 2, thread_cols = 32>
#uneven = #kernel.tile<rows = 64, cols = 80, chunk = 32, threads = 256, thread_rows = 2, thread_cols = 20>
func.func @long(%x: tensor<?x150x384xbf16>) -> tensor<?x150x128xbf16> {
  %0 = kernel.attention %x, %x, %x heads 2 head_dim 64 offsets [0, 128, 256] scale 1.0e+00 tile #whole
      : (tensor<?x150x384xbf16>, tensor<?x150x384xbf16>, tensor<?x150x384xbf16>) -> tensor<?x150x128xbf16>
  return %0 : tensor<?x150x128xbf16>
}
func.func @others(%q: tensor<?x70x128xbf16>, %kv: tensor<?x97x256xbf16>, %bias: tensor<1x70x97xf32>) -> tensor<?x70x128xf32> {
  %0 = kernel.attention %q, %kv, %kv bias %bias heads 1 head_dim 128 offsets [0, 0, 128] scale 5.0e-01 tile #wide
      : (tensor<?x70x128xbf16>, tensor<?x97x256xbf16>, tensor<?x97x256xbf16>, tensor<1x70x97xf32>) -> tensor<?x70x128xf32>
  return %0 : tensor<?x70x128xf32>
}
func.func @short(%x: tensor<?x21x480xbf16>) -> tensor<?x21x160xbf16> {
  %0 = kernel.attention %x, %x, %x heads 2 head_dim 80 offsets [0, 160, 320] scale -1.0e+00 tile #uneven
      : (tensor<?x21x480xbf16>, tensor<?x21x480xbf16>, tensor<?x21x480xbf16>) -> tensor<?x21x160xbf16>
  return %0 : tensor<?x21x160xbf16>
}
