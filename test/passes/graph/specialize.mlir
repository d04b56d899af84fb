// RUN: cornu-opt --nn-specialize=training=true %s | FileCheck %s --check-prefix=TRAIN
// RUN: cornu-opt --nn-specialize %s | FileCheck %s --check-prefix=INFER

// TRAIN-LABEL: @mode
// TRAIN-NEXT: %[[Y:.*]] = nn.relu %arg0
// TRAIN-NEXT: return %[[Y]]
// INFER-LABEL: @mode
// INFER-NEXT: return %arg0
func.func @mode(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = nn.if_training -> tensor<?x4xf32> {
    %z = nn.if_training -> tensor<?x4xf32> {
      %r = nn.relu %x : tensor<?x4xf32>
      nn.yield %r : tensor<?x4xf32>
    } else {
      %t = nn.tanh %x : tensor<?x4xf32>
      nn.yield %t : tensor<?x4xf32>
    }
    nn.yield %z : tensor<?x4xf32>
  } else {
    nn.yield %x : tensor<?x4xf32>
  }
  %s = nn.stop_gradient %y : tensor<?x4xf32>
  return %s : tensor<?x4xf32>
}
