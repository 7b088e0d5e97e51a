// What no file that uses tenon may hold: a function outside the instruction set's namespace that another instruction
// set changes, and a table of functions there. The first function is the same for all and so does no harm.
namespace tenon {
int kernel(int value);
inline int next(int value) { return value + 1; }
inline float half(float value) { return value * 0.5f; }
struct SharedTable {
    int (*run)(int);
};
template <int>
inline constexpr SharedTable shared_table{&kernel};
}  // namespace tenon

const tenon::SharedTable* use(float* value);
const tenon::SharedTable* use(float* value) {
    *value = tenon::half(*value) + static_cast<float>(tenon::next(1));
    return &tenon::shared_table<0>;
}
