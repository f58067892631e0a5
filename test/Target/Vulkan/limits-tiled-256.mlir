// The larger level: more threads and workgroup memory, subgroup operations.
// RUN: vit-opt %s --split-input-file --verify-diagnostics --vit-verify-limits=level=tiled_256

gpu.module @kernels {
  gpu.func @full() kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
    %s = memref.alloc() : memref<2048xvector<4xf32>, #gpu.address_space<workgroup>>
    %x = arith.constant 1.0 : f32
    %y = gpu.subgroup_reduce add %x : (f32) -> f32
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel threads has 257 threads in a workgroup; level tiled_256 allows 256}}
  gpu.func @threads() kernel attributes {known_block_size = array<i32: 257, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @shared() kernel attributes {known_block_size = array<i32: 256, 1, 1>} {
    // expected-error@+1 {{kernel shared uses 32784 bytes of workgroup memory; level tiled_256 allows 32768}}
    %s = memref.alloc() : memref<2049xvector<4xf32>, #gpu.address_space<workgroup>>
    gpu.return
  }
}
