"""Runs a program as several processes of MPI; CMake says in TENON_TEST_MPIEXEC what starts them, where there is an MPI."""
import os

MPIEXEC = os.environ.get("TENON_TEST_MPIEXEC", "")

# More processes than cores, as root in a container, with Open MPI 4 or 5; MPICH needs none of it.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}


def command(processes):
    """What comes before the program."""
    return [MPIEXEC, "-n", str(processes)]
