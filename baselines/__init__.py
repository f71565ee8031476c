"""Reference implementations of each family: one model, one file.

`MODELS` gives the names that tables and the command line use, in the order of the tables.
"""

from __future__ import annotations

from typing import Any

from .adversarial.gan import GAN
from .adversarial.lsgan import LSGAN
from .adversarial.pacgan import PacGAN
from .adversarial.r3gan import R3GAN
from .adversarial.sn_gan import SNGAN
from .adversarial.wgan_gp import WGANGP
from .autoregressive.made import MADE
from .autoregressive.nade import NADE
from .autoregressive.pixelcnn import PixelCNN
from .autoregressive.transformer import Transformer
from .classical.chow_liu import ChowLiu
from .classical.gaussian import Gaussian
from .classical.gmm import GMM
from .classical.histogram import Histogram
from .classical.hmm import HMM
from .classical.kde import KDE
from .classical.ngram import NGram
from .classical.ppca import PPCA
from .controls.memoriser import Memoriser
from .controls.mode_dropper import ModeDropper
from .controls.noise import Noise
from .controls.oracle import Oracle
from .diffusion.ddpm import DDPM
from .diffusion.edm import EDM
from .diffusion.masked import MaskedDiffusion
from .diffusion.score_sde import ScoreSDEVE, ScoreSDEVP
from .energy.ebm import EBM
from .energy.nce import NCE
from .energy.rbm import RBM
from .energy.score_matching import ScoreMatching
from .flows.ffjord import FFJORD
from .flows.glow import Glow
from .flows.iaf import IAF
from .flows.maf import MAF
from .flows.nsf import NSF
from .flows.nsf_ar import NSFAR
from .flows.realnvp import RealNVP
from .flows.tarflow import TarFlow
from .gflownet.detailed_balance import DetailedBalance
from .gflownet.flow_matching import GFlowNetFlowMatching
from .gflownet.forward_looking import ForwardLooking
from .gflownet.log_partition_variance import LogPartitionVariance
from .gflownet.sub_trajectory_balance import SubTrajectoryBalance
from .gflownet.trajectory_balance import TrajectoryBalance
from .latent.iaf_vae import IAFVAE
from .latent.iwae import IWAE
from .latent.ladder import LadderVAE
from .latent.vae import VAE
from .latent.vampprior import VampPriorVAE
from .latent.vq_vae import VQVAE
from .moment.drifting import Drifting
from .moment.gmmn import GMMN
from .moment.mmd_gan import MMDGAN
from .moment.sw_generator import SWGenerator
from .samplers.ais import AIS
from .samplers.continuous_gflownet import ContinuousGFlowNet
from .samplers.hmc import HamiltonianMonteCarlo
from .samplers.reverse_kl import ReverseKL
from .transport.consistency import Consistency
from .transport.flow_matching import FlowMatching
from .transport.interpolant import Interpolant
from .transport.meanflow import MeanFlow
from .transport.ot_cfm import OTCFM
from .transport.rectified_flow import RectifiedFlow

MODELS: dict[str, type[Any]] = {
    "vae": VAE,
    "iwae": IWAE,
    "ladder-vae": LadderVAE,
    "iaf-vae": IAFVAE,
    "vampprior-vae": VampPriorVAE,
    "vq-vae": VQVAE,
    "gan": GAN,
    "lsgan": LSGAN,
    "wgan-gp": WGANGP,
    "sn-gan": SNGAN,
    "pacgan": PacGAN,
    "r3gan": R3GAN,
    "realnvp": RealNVP,
    "glow": Glow,
    "maf": MAF,
    "iaf": IAF,
    "nsf": NSF,
    "nsf-ar": NSFAR,
    "ffjord": FFJORD,
    "tarflow": TarFlow,
    "made": MADE,
    "nade": NADE,
    "pixelcnn": PixelCNN,
    "transformer": Transformer,
    "ddpm": DDPM,
    "score-sde-ve": ScoreSDEVE,
    "score-sde-vp": ScoreSDEVP,
    "edm": EDM,
    "masked-diffusion": MaskedDiffusion,
    "flow-matching": FlowMatching,
    "ot-cfm": OTCFM,
    "rectified-flow": RectifiedFlow,
    "interpolant": Interpolant,
    "consistency": Consistency,
    "meanflow": MeanFlow,
    "ebm": EBM,
    "rbm": RBM,
    "nce": NCE,
    "score-matching": ScoreMatching,
    "gmmn": GMMN,
    "mmd-gan": MMDGAN,
    "sw-generator": SWGenerator,
    "drifting": Drifting,
    "gfn-fm": GFlowNetFlowMatching,
    "gfn-db": DetailedBalance,
    "gfn-tb": TrajectoryBalance,
    "gfn-subtb": SubTrajectoryBalance,
    "gfn-vargrad": LogPartitionVariance,
    "gfn-fldb": ForwardLooking,
    "ais": AIS,
    "hmc": HamiltonianMonteCarlo,
    "reverse-kl": ReverseKL,
    "continuous-gflownet": ContinuousGFlowNet,
    "gmm": GMM,
    "kde": KDE,
    "ppca": PPCA,
    "hmm": HMM,
    "gaussian": Gaussian,
    "histogram": Histogram,
    "ngram": NGram,
    "chow-liu": ChowLiu,
    "oracle": Oracle,
    "memoriser": Memoriser,
    "mode-dropper": ModeDropper,
    "noise": Noise,
}
