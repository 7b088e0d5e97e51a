// A library in cuBLASLt's place, for libraries_test.cu: it plans whatever is asked for as cuBLASLt's contract allows,
// counts the calls, and fails when a product is to be run. A handle is for the device that is current when it is made.
#include <cstdint>
#include <cstring>
#include <utility>

#include <cublasLt.h>
#include <cuda_runtime_api.h>

namespace {

/// As libraries_test.cu declares it.
struct Counts {
    int created = 0, destroyed = 0, planned = 0, misaligned = 0, multiplied = 0, misplaced = 0, gradients = 0;
} counts;

/// What a product and a matrix are described by.
struct Product {
    bool turns_a = false, turns_b = false;
};
struct Matrix {
    cudaDataType type;
    std::uint64_t rows, columns;
};

int current_device() {
    int device = -1;
    cudaGetDevice(&device);
    return device;
}

void demand_current(cublasLtHandle_t handle) {
    counts.misplaced += *reinterpret_cast<int*>(handle) != current_device();
}

/// What a preference says of alignments; cuBLASLt assumes 256 bytes.
struct Preference {
    std::uint32_t alignment[4] = {256, 256, 256, 256};
};

}  // namespace

extern "C" {

void double_counts(Counts* all) { *all = counts; }

std::size_t cublasLtGetVersion() { return 130100; }
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
    ++counts.created;
    static bool has_handle[2]{};  // of a device; a second one was meant for another
    counts.misplaced += std::exchange(has_handle[current_device()], true);
    *handle = reinterpret_cast<cublasLtHandle_t>(new int{current_device()});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
    ++counts.destroyed;
    delete reinterpret_cast<int*>(handle);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t, cudaDataType_t) {
    *product = reinterpret_cast<cublasLtMatmulDesc_t>(new Product);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
    delete reinterpret_cast<Product*>(product);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t name,
                                              const void* value, std::size_t) {
    const bool turns = *static_cast<const cublasOperation_t*>(value) == CUBLAS_OP_T;
    if (name == CUBLASLT_MATMUL_DESC_TRANSA) reinterpret_cast<Product*>(product)->turns_a = turns;
    if (name == CUBLASLT_MATMUL_DESC_TRANSB) reinterpret_cast<Product*>(product)->turns_b = turns;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t) {
    *layout = reinterpret_cast<cublasLtMatrixLayout_t>(new Matrix{type, rows, columns});
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
    delete reinterpret_cast<Matrix*>(layout);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
    *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new Preference);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
    delete reinterpret_cast<Preference*>(preference);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name, const void* value,
                                                    std::size_t bytes) {
    const int which = name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
    if (which < 0 || which > 3) return CUBLAS_STATUS_SUCCESS;
    if (bytes != 4) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&reinterpret_cast<Preference*>(preference)->alignment[which], value, 4);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t described,
                                              cublasLtMatrixLayout_t first, cublasLtMatrixLayout_t second,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t result,
                                              cublasLtMatmulPreference_t preference, int,
                                              cublasLtMatmulHeuristicResult_t* results, int* count) {
    ++counts.planned;
    demand_current(handle);
    const Product product = *reinterpret_cast<Product*>(described);
    const Matrix &a = *reinterpret_cast<Matrix*>(first), &b = *reinterpret_cast<Matrix*>(second);
    const Matrix& sum = *reinterpret_cast<Matrix*>(result);
    if ((product.turns_a ? a.columns : a.rows) != sum.rows || (product.turns_b ? b.rows : b.columns) != sum.columns ||
        (product.turns_a ? a.rows : a.columns) != (product.turns_b ? b.columns : b.rows) || a.type != b.type)
        return CUBLAS_STATUS_INVALID_VALUE;
    counts.gradients += product.turns_b && a.type == CUDA_R_16BF && sum.type == CUDA_R_32F;
    for (const std::uint32_t alignment : reinterpret_cast<Preference*>(preference)->alignment)
        counts.misaligned += alignment > 16;
    *results = {};
    *count = 1;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t, const void*, const void*,
                              cublasLtMatrixLayout_t, const void*, cublasLtMatrixLayout_t, const void*, const void*,
                              cublasLtMatrixLayout_t, void*, cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t*, void*,
                              std::size_t, cudaStream_t) {
    ++counts.multiplied;
    demand_current(handle);
    return CUBLAS_STATUS_NOT_SUPPORTED;
}

}  // extern "C"
