//===- TransformedKernel.cpp - A convolution's kernel, transformed --------===//

#include "codegen/strategy/TransformedKernel.h"

#include "codegen/strategy/PanelValues.h"
#include "codegen/strategy/WinogradMatrices.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;

namespace cornu::codegen {

bool TransformedKernel::operator==(const TransformedKernel &other) const {
  auto shape = [](const TransformedKernel &kernel) {
    return std::tie(kernel.points, kernel.parts, kernel.taps, kernel.channels,
                    kernel.lanes, kernel.panels, kernel.width);
  };
  return shape(*this) == shape(other) && matrix == other.matrix;
}

/// G of two parts, down and across, as one matrix of points x taps.
static std::vector<double> matrixOf(const WinogradTransform &transform,
                                    int64_t taps) {
  const size_t patch = transform.patch, parts = transform.parts.size();
  std::vector<double> matrix(patch * patch * parts * parts * taps * taps);
  for (auto [d, down] : llvm::enumerate(transform.parts))
    for (auto [a, across] : llvm::enumerate(transform.parts))
      for (size_t y = 0; y < down.kernel.rows; ++y)
        for (size_t x = 0; x < across.kernel.rows; ++x) {
          size_t row = ((y * patch + x) * parts + d) * parts + a;
          for (auto [i, v] : llvm::enumerate(down.kernel.row(y)))
            for (auto [j, w] : llvm::enumerate(across.kernel.row(x)))
              matrix[(row * taps + down.tap + i) * taps + across.tap + j] =
                  v * w;
        }
  return matrix;
}

std::optional<TransformedKernel> TransformedKernel::of(const WinogradForm &form,
                                                       ContractionAttr strategy,
                                                       int64_t width) {
  WinogradAttr winograd = strategy.getWinograd();
  auto transform = winograd
                       ? WinogradTransform::of(winograd.getSide(), form.taps,
                                               winograd.getTaps())
                       : std::nullopt;
  if (!transform || form.forKernel)
    return std::nullopt;
  TransformedKernel kernel;
  kernel.points = transform->patch * transform->patch;
  kernel.parts = transform->parts.size() * transform->parts.size();
  kernel.taps = form.taps * form.taps;
  kernel.channels = form.channels;
  kernel.lanes = form.lanes;
  kernel.panels = llvm::alignTo(strategy.getNr(), width);
  kernel.width = width;
  kernel.matrix = matrixOf(*transform, form.taps);
  return kernel;
}

ElementsAttr TransformedKernel::transform(StringRef name,
                                          ElementsAttr value) const {
  std::vector<float> weights = floatsOf(value);
  std::vector<float> result;
  result.reserve(elements());
  for (int64_t point = 0; point < points; ++point)
    for (int64_t start = 0; start < filledLanes(); start += panels) {
      const int64_t size = std::min(panels, filledLanes() - start);
      const int64_t used = std::clamp<int64_t>(lanes - start, 0, size);
      std::vector<double> sums(size);
      for (int64_t row = point * parts; row < (point + 1) * parts; ++row)
        for (int64_t channel = 0; channel < channels; ++channel) {
          // Rounded once; the transform at run time rounds each addition.
          std::fill(sums.begin(), sums.end(), 0.0);
          for (int64_t tap = 0; tap < taps; ++tap) {
            double factor = matrix[row * taps + tap];
            if (factor == 0)
              continue;
            const float *from =
                &weights[(tap * channels + channel) * lanes + start];
            for (int64_t lane = 0; lane < used; ++lane)
              sums[lane] += factor * from[lane];
          }
          result.insert(result.end(), sums.begin(), sums.end());
        }
    }
  auto type =
      RankedTensorType::get({elements()}, Float32Type::get(value.getContext()));
  if (isa<DenseElementsAttr>(value))
    return DenseElementsAttr::get(type, ArrayRef(result));
  return DenseResourceElementsAttr::get(
      type, name,
      HeapAsmResourceBlob::allocateAndCopyInferAlign(ArrayRef(result)));
}

DictionaryAttr TransformedKernel::attribute(MLIRContext *context) const {
  Builder b(context);
  auto type =
      RankedTensorType::get({points * parts, taps}, Float64Type::get(context));
  return b.getDictionaryAttr(
      {b.getNamedAttr("points", b.getI64IntegerAttr(points)),
       b.getNamedAttr("parts", b.getI64IntegerAttr(parts)),
       b.getNamedAttr("width", b.getI64IntegerAttr(width)),
       b.getNamedAttr("matrix",
                      DenseElementsAttr::get(type, ArrayRef(matrix)))});
}

} // namespace cornu::codegen
