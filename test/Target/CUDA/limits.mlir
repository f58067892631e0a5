// Limits of a kernel for sm_80.
// RUN: vit-opt %s --split-input-file --verify-diagnostics --vit-verify-limits=level=sm_80

// Everything within the limits.
gpu.module @kernels {
  gpu.func @full(%x: memref<?xf32>, %batch: i32, %first: i32) kernel
      attributes {known_block_size = array<i32: 1024, 1, 1>} {
    %s = memref.alloc() : memref<12288xf32, #gpu.address_space<workgroup>>
    %i = gpu.thread_id x
    %v = vector.load %x[%i] : memref<?xf32>, vector<4xf32>
    %c = arith.constant 1.0 : f32
    %r = gpu.subgroup_reduce add %c : (f32) -> f32
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel threads has 1025 threads in a workgroup; level sm_80 allows 1024}}
  gpu.func @threads() kernel attributes {known_block_size = array<i32: 1025, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @shared() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error@+1 {{kernel shared uses 101380 bytes of workgroup memory; level sm_80 allows 101376}}
    %s = memref.alloc() : memref<25345xf32, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

// Without libdevice LLVM cannot emit this op.
gpu.module @kernels {
  gpu.func @library() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %x = arith.constant 1.0 : f32
    // expected-error@+1 {{kernel library uses math.erf, which needs a library: expand it}}
    %y = math.erf %x : f32
    gpu.return
  }
}
