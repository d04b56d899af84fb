// RUN: cornu-opt %s --split-input-file --verify-diagnostics

func.func @form(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{equation "bi,iu" is not of the form "ij,jk->ik"}}
  %0 = nn.contract "bi,iu" %x, %w : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @sizes(%x: tensor<?x8xf32>, %w: tensor<7x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{dimension 'i' has different sizes in lhs and rhs}}
  %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x8xf32>, tensor<7x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @rank(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{rhs has 2 dimensions, the equation gives it 1}}
  %0 = nn.contract "bi,i->b" %x, %w : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?xf32>
  return
}

// -----

func.func @lone(%x: tensor<?x8x3xf32>, %w: tensor<8x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{dimension 'c' stands in one operand only}}
  %0 = nn.contract "bic,iu->bu" %x, %w : (tensor<?x8x3xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  return
}
