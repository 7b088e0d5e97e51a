// What no file that uses tenon may hold: a function outside the instruction set's namespace that another instruction
// set changes, a table of functions there, and data that point to a table. The first function is the same for all and
// so does no harm.
namespace tenon {
int kernel(int value);
inline int next(int value) { return value + 1; }
inline float half(float value) { return value * 0.5f; }
struct SharedTable {
    int (*run)(int);
};
struct SharedProgram {
    const SharedTable* table;
};
// As a table inside an instruction set's namespace, this one is not shared itself.
static constexpr SharedTable own_table{&kernel};
template <int>
inline constexpr SharedTable shared_table{&kernel};
template <int>
inline constexpr SharedProgram shared_program{&own_table};
}  // namespace tenon

const tenon::SharedTable* use(float* value, const tenon::SharedProgram** program);
const tenon::SharedTable* use(float* value, const tenon::SharedProgram** program) {
    *value = tenon::half(*value) + static_cast<float>(tenon::next(1));
    *program = &tenon::shared_program<0>;
    return &tenon::shared_table<0>;
}
