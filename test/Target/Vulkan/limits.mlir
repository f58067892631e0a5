// Limits of a kernel at each Vulkan level; every error contains the number.
// RUN: vit-opt %s --split-input-file --verify-diagnostics --vit-verify-limits=level=tiled
// RUN: vit-opt %s --split-input-file --verify-diagnostics --vit-verify-limits=level=direct

!buffer = memref<?xvector<4xf32>, #spirv.storage_class<StorageBuffer>>
!push = memref<32xi32, #spirv.storage_class<PushConstant>>

// Everything within the limits.
gpu.module @kernels {
  gpu.func @full(%a: !buffer, %b: !buffer, %c: !buffer, %d: !buffer, %p: !push) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %s = memref.alloc() : memref<1000xvector<4xf32>, #gpu.address_space<workgroup>>
    %t = memref.alloc() : memref<96xf32, #gpu.address_space<workgroup>>
    %i = gpu.thread_id x
    %x = memref.load %a[%i] : !buffer
    %y = math.sqrt %x : vector<4xf32>
    memref.store %y, %b[%i] : !buffer
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel threads has 129 threads in a workgroup; level}}
  gpu.func @threads() kernel attributes {known_block_size = array<i32: 129, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel flat needs a one-dimensional known_block_size}}
  gpu.func @flat() kernel attributes {known_block_size = array<i32: 8, 8, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel free needs a one-dimensional known_block_size}}
  gpu.func @free() kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @shared() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %s = memref.alloc() : memref<1000xvector<4xf32>, #gpu.address_space<workgroup>>
    // expected-error@+1 {{kernel shared uses 16388 bytes of workgroup memory; level}}
    %t = memref.alloc() : memref<97xf32, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

// A part must begin at a multiple of 16 bytes.
gpu.module @kernels {
  gpu.func @pieces() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %s = memref.alloc() : memref<1xf32, #gpu.address_space<workgroup>>
    // expected-error@+1 {{kernel pieces uses 16400 bytes of workgroup memory; level}}
    %t = memref.alloc() : memref<1024xvector<4xf32>, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

!buffer = memref<?xf32, #spirv.storage_class<StorageBuffer>>
gpu.module @kernels {
  // expected-error@+1 {{kernel buffers has 5 storage buffers; level}}
  gpu.func @buffers(%a: !buffer, %b: !buffer, %c: !buffer, %d: !buffer, %e: !buffer) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel push has 33 words of push constants; level}}
  gpu.func @push(%p: memref<33xi32, #spirv.storage_class<PushConstant>>) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel scalar takes a value of type 'i32'; on Vulkan arguments are buffers and push constants}}
  gpu.func @scalar(%n: i32) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

// The upstream conversion would silently use f32.
gpu.module @kernels {
  // expected-error@+1 {{kernel bf16 uses 'memref<?xbf16, #spirv.storage_class<StorageBuffer>>'; Vulkan's minimum has 32-bit floats and integers only}}
  gpu.func @bf16(%a: memref<?xbf16, #spirv.storage_class<StorageBuffer>>) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel f16 uses 'memref<?xvector<4xf16>, #spirv.storage_class<StorageBuffer>>'}}
  gpu.func @f16(%a: memref<?xvector<4xf16>, #spirv.storage_class<StorageBuffer>>) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel i64 uses 'memref<4xi64, #spirv.storage_class<StorageBuffer>>'}}
  gpu.func @i64(%a: memref<4xi64, #spirv.storage_class<StorageBuffer>>) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel i16 uses 'memref<4xi16, #spirv.storage_class<StorageBuffer>>'}}
  gpu.func @i16(%a: memref<4xi16, #spirv.storage_class<StorageBuffer>>) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @i1() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error@+1 {{kernel i1 uses 'memref<4xi1, #gpu.address_space<workgroup>>'}}
    %s = memref.alloc() : memref<4xi1, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @wide_integer() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error@+1 {{kernel wide_integer uses 'i64'; Vulkan's minimum has 32-bit floats and integers only}}
    %n = arith.constant 1 : i64
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error@+1 {{kernel three uses 'memref<?xvector<3xf32>, #spirv.storage_class<StorageBuffer>>'; vectors have 2 or 4 elements}}
  gpu.func @three(%a: memref<?xvector<3xf32>, #spirv.storage_class<StorageBuffer>>) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @eight() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    // expected-error@+1 {{kernel eight uses 'vector<8xf32>'; vectors have 2 or 4 elements}}
    %v = arith.constant dense<0.0> : vector<8xf32>
    gpu.return
  }
}

// -----

!buffer = memref<?xf32, #spirv.storage_class<StorageBuffer>>
gpu.module @kernels {
  gpu.func @vector_load(%a: !buffer) kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %i = gpu.thread_id x
    // expected-error@+1 {{kernel vector_load uses vector.load; on Vulkan a vector is an element of its buffer}}
    %v = vector.load %a[%i] : !buffer, vector<4xf32>
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @library() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %x = arith.constant 1.0 : f32
    // expected-error@+1 {{kernel library uses math.exp, which needs a library: expand it}}
    %y = math.exp %x : f32
    gpu.return
  }
}

// -----

gpu.module @kernels {
  gpu.func @subgroup() kernel attributes {known_block_size = array<i32: 64, 1, 1>} {
    %x = arith.constant 1.0 : f32
    // expected-error@+1 {{has no subgroup operations}}
    %y = gpu.subgroup_reduce add %x : (f32) -> f32
    gpu.return
  }
}
