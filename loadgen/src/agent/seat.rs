//! Which agent this is, and of how many: said on the command line, or by whatever started it.

use crate::failure::Failure;

/// The place of an agent among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// Counted from 0.
    pub rank: u32,
    /// How many there are.
    pub size: u32,
}

/// What the command line says about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `--rank`.
    pub rank: Option<u32>,
    /// `--size`.
    pub size: Option<u32>,
}

/// A program that starts processes and numbers them.
struct Launcher {
    name: &'static str,
    rank: &'static str,
    size: Option<&'static str>,
    /// The rank of the first one.
    first: u32,
}

/// The known ones. The first whose rank is set is believed: MPI comes before Slurm, since mpirun
/// inside an allocation leaves the variables of Slurm as they are.
///
/// Sources: mpirun(1) of Open MPI, the Hydra process manager of MPICH, the PMIx standard, srun(1),
/// the Kubernetes documentation on Indexed Jobs, that of Nomad on its runtime environment, and
/// parallel(1).
const LAUNCHERS: [Launcher; 7] = [
    numbered("Open MPI", "OMPI_COMM_WORLD_RANK", Some("OMPI_COMM_WORLD_SIZE")),
    numbered("MPICH", "PMI_RANK", Some("PMI_SIZE")),
    numbered("PMIx", "PMIX_RANK", None),
    numbered("Slurm", "SLURM_PROCID", Some("SLURM_NTASKS")),
    numbered("Kubernetes", "JOB_COMPLETION_INDEX", None),
    numbered("Nomad", "NOMAD_ALLOC_INDEX", None),
    Launcher { name: "GNU parallel", rank: "PARALLEL_SEQ", size: None, first: 1 },
];

/// The size, for launchers that do not tell it.
const SIZE: &str = "LOADGEN_SIZE";

const fn numbered(name: &'static str, rank: &'static str, size: Option<&'static str>) -> Launcher {
    Launcher { name, rank, size, first: 0 }
}

impl Seat {
    /// One that is alone.
    pub const ALONE: Self = Self { rank: 0, size: 1 };

    /// Finds the place: `--rank` and `--size` come first, then the launcher's variables, and for
    /// the size also `LOADGEN_SIZE`. Where nothing is known of others, there are none. GNU parallel
    /// numbers whatever it runs, so its number alone says nothing.
    ///
    /// # Errors
    /// [`Failure::Usage`] if what is said does not fit together; it names the variable.
    pub fn find(
        asked: Asked,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let launcher = LAUNCHERS.iter().find(|launcher| environment(launcher.rank).is_some());
        let size = size(asked, launcher, &environment)?;
        let rank = rank(asked, launcher, &environment)?;
        match (rank, size) {
            (None, None) => Ok(Self::ALONE),
            (None, Some(size)) if size.number == 1 => Ok(Self::ALONE),
            (None, Some(size)) => Err(rankless(&size)),
            (Some(rank), Some(size)) => seat(&rank, &size),
            (Some(rank), None) if rank.name == "PARALLEL_SEQ" => Ok(Self::ALONE),
            (Some(rank), None) => Err(sizeless(&rank)),
        }
    }
}

/// A number and who says it.
struct Said {
    number: u32,
    name: &'static str,
}

fn rank(
    asked: Asked,
    launcher: Option<&Launcher>,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Said>, Failure> {
    if let Some(number) = asked.rank {
        return Ok(Some(Said { number, name: "--rank" }));
    }
    let Some(launcher) = launcher else { return Ok(None) };
    let Some(said) = variable(launcher.rank, environment)? else { return Ok(None) };
    let number = said.number.checked_sub(launcher.first).ok_or_else(|| {
        let Launcher { name, rank, first, .. } = launcher;
        Failure::Usage(format!("{rank} is {}, but {name} counts from {first}", said.number))
    })?;
    Ok(Some(Said { number, ..said }))
}

/// What the command line and the launcher say has to be the same, if both say something.
fn size(
    asked: Asked,
    launcher: Option<&Launcher>,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Said>, Failure> {
    let named = launcher.and_then(|launcher| launcher.size).unwrap_or(SIZE);
    let told = variable(named, environment)?;
    let flag = asked.size.map(|number| Said { number, name: "--size" });
    match (flag, told) {
        // With --rank, it is the command line that numbers, and a launcher may run something else.
        (Some(flag), Some(told)) if flag.number != told.number && asked.rank.is_none() => {
            let (flag, Said { number, name }) = (flag.number, told);
            Err(Failure::Usage(format!("--size is {flag}, but {name} is {number}")))
        }
        (Some(flag), _) => Ok(Some(flag)),
        (None, told) => Ok(told),
    }
}

fn variable(
    name: &'static str,
    environment: &impl Fn(&str) -> Option<String>,
) -> Result<Option<Said>, Failure> {
    let Some(text) = environment(name) else { return Ok(None) };
    match text.trim().parse() {
        Ok(number) => Ok(Some(Said { number, name })),
        Err(_) => Err(Failure::Usage(format!("{name} is {text:?}, which is no number"))),
    }
}

fn seat(rank: &Said, size: &Said) -> Result<Seat, Failure> {
    let (Said { number: rank, name }, Said { number: size, name: of }) = (rank, size);
    if rank < size {
        return Ok(Seat { rank: *rank, size: *size });
    }
    Err(Failure::Usage(format!(
        "{name} makes this rank {rank}, but {of} says that there are {size}, counted from 0"
    )))
}

fn rankless(size: &Said) -> Failure {
    let Said { number, name } = size;
    let known: Vec<_> = LAUNCHERS.iter().map(|launcher| launcher.rank).collect();
    let known = known.join(", ");
    Failure::Usage(format!(
        "{name} says that there are {number} agents, but not which one this is: give --rank, or set \
         one of {known}"
    ))
}

fn sizeless(rank: &Said) -> Failure {
    let Said { number, name } = rank;
    Failure::Usage(format!(
        "{name} says that this is rank {number}, but not of how many: give --size or set {SIZE}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Asked = Asked { rank: None, size: None };

    fn find(asked: Asked, variables: &[(&str, &str)]) -> Result<Seat, Failure> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Seat::find(asked, |name| value(name).map(|(_, value)| (*value).to_owned()))
    }

    fn both(rank: u32, size: u32) -> Asked {
        Asked { rank: Some(rank), size: Some(size) }
    }

    fn of(size: u32) -> Asked {
        Asked { rank: None, size: Some(size) }
    }

    #[test]
    fn alone_if_nobody_says_anything_else() {
        assert_eq!(find(NOTHING, &[]), Ok(Seat::ALONE));
        assert_eq!(find(of(1), &[]), Ok(Seat::ALONE));
        assert_eq!(find(NOTHING, &[("PARALLEL_SEQ", "3")]), Ok(Seat::ALONE));
        assert_eq!(find(NOTHING, &[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")]), Ok(Seat::ALONE));
    }

    #[test]
    fn every_launcher_is_understood() {
        let told = [
            ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
            ("PMI_RANK", "PMI_SIZE"),
            ("SLURM_PROCID", "SLURM_NTASKS"),
            ("PMIX_RANK", SIZE),
            ("JOB_COMPLETION_INDEX", SIZE),
            ("NOMAD_ALLOC_INDEX", SIZE),
        ];
        for (rank, size) in told {
            let found = find(NOTHING, &[(rank, "2"), (size, "4")]);
            assert_eq!(found, Ok(Seat { rank: 2, size: 4 }), "{rank}");
        }
        assert_eq!(find(of(4), &[("PARALLEL_SEQ", "4")]), Ok(Seat { rank: 3, size: 4 }));
    }

    #[test]
    fn the_command_line_comes_first_and_mpi_before_slurm() {
        let slurm = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")];
        let mpi = [("OMPI_COMM_WORLD_RANK", "3"), ("OMPI_COMM_WORLD_SIZE", "4")];
        let all = [slurm, mpi].concat();
        assert_eq!(find(NOTHING, &all), Ok(Seat { rank: 3, size: 4 }));
        assert_eq!(find(both(1, 2), &all), Ok(Seat { rank: 1, size: 2 }));
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        type Variables = &'static [(&'static str, &'static str)];
        let cases: [(Asked, Variables, &str); 8] = [
            (of(4), &[], "JOB_COMPLETION_INDEX"),
            (both(4, 4), &[], "--rank"),
            (Asked { rank: Some(0), size: None }, &[], "--size"),
            (NOTHING, &[("JOB_COMPLETION_INDEX", "1")], "JOB_COMPLETION_INDEX"),
            (of(4), &[("PARALLEL_SEQ", "0")], "PARALLEL_SEQ"),
            (of(4), &[("PARALLEL_SEQ", "5")], "PARALLEL_SEQ"),
            (NOTHING, &[("PMI_RANK", "one"), ("PMI_SIZE", "2")], "PMI_RANK"),
            (of(3), &[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "2")], "SLURM_NTASKS"),
        ];
        for (asked, variables, name) in cases {
            let failure = find(asked, variables).expect_err("it does not fit");
            assert_eq!(failure.status(), 2);
            assert!(failure.to_string().contains(name), "{failure}");
        }
    }
}
