//===- Vector.h - A growing array and an owning pointer -------------------===//
//
// The runtime links into other people's programs, from C too, with nothing but
// libc: no libstdc++, which would add 100 KB and a millisecond to a start.
// These are the two containers it needs instead of std::vector and
// std::unique_ptr. When memory runs out, the program says so and exits.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_VECTOR_H
#define CORNU_RUNTIME_HOST_VECTOR_H

#include <initializer_list>
#include <new>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utility>

namespace cornu::runtime {

/// Prints "error: out of memory ..." and exits with 1.
[[noreturn]] void outOfMemory(uint64_t bytes);

/// malloc that does not return null.
void *allocate(uint64_t bytes);

template <typename T> class Vector {
public:
  Vector() = default;
  Vector(std::initializer_list<T> list) {
    reserve(list.size());
    for (const T &element : list)
      push_back(element);
  }
  Vector(const Vector &other) { *this = other; }
  Vector(Vector &&other) noexcept { swap(other); }
  Vector &operator=(const Vector &other) {
    if (this == &other)
      return *this;
    clear();
    reserve(other.count);
    for (const T &element : other)
      push_back(element);
    return *this;
  }
  Vector &operator=(Vector &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Vector() {
    clear();
    free(elements);
  }

  T *begin() { return elements; }
  T *end() { return elements + count; }
  const T *begin() const { return elements; }
  const T *end() const { return elements + count; }
  T *data() { return elements; }
  const T *data() const { return elements; }
  size_t size() const { return count; }
  bool empty() const { return count == 0; }
  T &operator[](size_t i) { return elements[i]; }
  const T &operator[](size_t i) const { return elements[i]; }
  T &back() { return elements[count - 1]; }
  const T &back() const { return elements[count - 1]; }

  void push_back(T element) {
    if (count == capacity)
      reserve(capacity ? 2 * capacity : 8);
    new (elements + count++) T(std::move(element));
  }
  void pop_back() { elements[--count].~T(); }
  /// New elements are value-initialized.
  void resize(size_t size) {
    reserve(size);
    while (count > size)
      pop_back();
    while (count < size)
      new (elements + count++) T();
  }
  void clear() { resize(0); }
  void reserve(size_t wanted) {
    if (!tryReserve(wanted))
      outOfMemory(uint64_t(wanted) * sizeof(T));
  }
  /// False if there is not so much memory.
  bool tryReserve(size_t wanted) {
    if (wanted <= capacity)
      return true;
    size_t bytes;
    if (__builtin_mul_overflow(wanted, sizeof(T), &bytes))
      return false;
    T *moved = static_cast<T *>(malloc(bytes ? bytes : 1));
    if (!moved)
      return false;
    for (size_t i = 0; i < count; ++i) {
      new (moved + i) T(std::move(elements[i]));
      elements[i].~T();
    }
    free(elements);
    elements = moved;
    capacity = wanted;
    return true;
  }
  void swap(Vector &other) noexcept {
    std::swap(elements, other.elements);
    std::swap(count, other.count);
    std::swap(capacity, other.capacity);
  }

private:
  T *elements = nullptr;
  size_t count = 0;
  size_t capacity = 0;
};

/// Owns one object, like std::unique_ptr.
template <typename T> class Owned {
public:
  Owned() = default;
  Owned(Owned &&other) noexcept { std::swap(object, other.object); }
  Owned &operator=(Owned &&other) noexcept {
    std::swap(object, other.object);
    return *this;
  }
  ~Owned() {
    if (object) {
      object->~T();
      free(object);
    }
  }
  template <typename... Args> static Owned make(Args &&...args) {
    Owned owned;
    owned.object = new (allocate(sizeof(T))) T(std::forward<Args>(args)...);
    return owned;
  }
  T *get() const { return object; }
  T *operator->() const { return object; }
  T &operator*() const { return *object; }
  explicit operator bool() const { return object; }

private:
  T *object = nullptr;
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_VECTOR_H
