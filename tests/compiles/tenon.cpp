// The umbrella header alone, and a model of a network: all that a user's program instantiates. Afterwards <immintrin.h>
// is complete, which oneTBB was kept from including.
#include <tenon/tenon.hpp>

template class tenon::Model<tenon::ResNet50V2<>>;

#if defined(__x86_64__)
#include <immintrin.h>

inline __m128i wait_and_add(__m128i a, __m128i b) {
    _mm_pause();
    return _mm_add_epi32(a, b);
}
#endif
