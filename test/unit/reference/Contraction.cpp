//===- Contraction.cpp - The formula of nn.contract ---------------------------
//===//

#include "test/unit/reference/Formulas.h"

#include <map>

using namespace mlir;
namespace nn = cornu::nn;

namespace cornu::reference {

Array contract(nn::ContractOp op, Operands x) {
  std::string labels[3] = {op.getLhsLabels().str(), op.getRhsLabels().str(),
                           op.getResultLabels().str()};
  std::map<char, int64_t> sizes;
  for (int k = 0; k < 2; ++k)
    for (size_t d = 0; d < labels[k].size(); ++d)
      sizes[labels[k][d]] = x[k].shape[d];
  std::string letters;
  Sizes all, shape;
  for (auto [letter, size] : sizes) {
    letters += letter;
    all.push_back(size);
  }
  for (char letter : labels[2])
    shape.push_back(sizes[letter]);
  Array result(shape);
  if (product(all) == 0)
    return result;
  Sizes index(all.size(), 0);
  auto project = [&](const std::string &wanted) {
    Sizes part;
    for (char letter : wanted)
      part.push_back(index[letters.find(letter)]);
    return part;
  };
  do {
    result.at(project(labels[2])) +=
        x[0].at(project(labels[0])) * x[1].at(project(labels[1]));
  } while (increment(index, all));
  return result;
}

} // namespace cornu::reference
