# SPDX-License-Identifier: Apache-2.0
"""The 29 architectures of fovea in PyTorch, as the peers that bench/compare.py measures.

build(name) is a module. In training it returns what the loss wants (GoogLeNet: three logits), in
evaluation the main logits. Writing is in place where nothing else reads. Tensors are registered in
the order of fovea's; bench/peer_check.py compares them, and the results, with golden files.
"""
import torch
import torch.nn.functional as F
from torch import nn

# ---- Parts ----


def conv(cin, cout, kernel=1, stride=1, padding=None, groups=1, dilation=1, bias=False):
    """Without bias; the padding keeps the size (at stride 1) unless it is given."""
    sides = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    if padding is None:
        padding = tuple(dilation * (side - 1) // 2 for side in sides)
    return nn.Conv2d(cin, cout, sides, stride, padding, dilation, groups, bias)


def conv_bn(cin, cout, kernel=1, stride=1, padding=None, groups=1, act=nn.ReLU):
    parts = [conv(cin, cout, kernel, stride, padding, groups), nn.BatchNorm2d(cout)]
    return nn.Sequential(*parts, *([act(inplace=True)] if act else []))


class Concat(nn.Module):
    """Branches side by side over the same input."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class MaskOnly(nn.Module):
    """Dropout that scales in evaluation: x * mask while training, x * (1 - p) after."""

    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        return F.dropout(x, self.p, self.training) * (1 - self.p)


def head(channels, classes, dropout=None):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         *([MaskOnly(dropout)] if dropout else []), nn.Linear(channels, classes))


# ---- GoogLeNet ----


class Inception(nn.Module):
    """The only activation is the one after the concatenation."""

    def __init__(self, cin, n1, reduce3, n3, reduce5, n5, project):
        super().__init__()
        self.concat = Concat(conv(cin, n1),
                             nn.Sequential(conv(cin, reduce3), conv(reduce3, n3, 3)),
                             nn.Sequential(conv(cin, reduce5), conv(reduce5, n5, 5)),
                             nn.Sequential(nn.MaxPool2d(3, 1, 1), conv(cin, project)))

    def forward(self, x):
        return F.relu_(self.concat(x))


class GoogLeNet(nn.Module):
    STEM_TO_4A = [(192, 64, 96, 128, 16, 32, 32), (256, 128, 128, 192, 32, 96, 64), None,
                  (480, 192, 96, 208, 16, 48, 64)]
    TO_4D = [(512, 160, 112, 224, 24, 64, 64), (512, 128, 128, 256, 24, 64, 64),
             (512, 112, 144, 288, 32, 64, 64)]
    TO_5B = [(528, 256, 160, 320, 32, 128, 128), None, (832, 256, 160, 320, 32, 128, 128),
             (832, 384, 192, 384, 48, 128, 128)]

    def __init__(self, classes):
        super().__init__()
        pool = [nn.MaxPool2d(3, 2)]
        rows = [nn.Sequential(*(Inception(*row) if row else nn.MaxPool2d(3, 2) for row in table))
                for table in (self.STEM_TO_4A, self.TO_4D, self.TO_5B)]
        self.stem = nn.Sequential(conv(3, 64, 7, 2), *pool, conv(64, 64), conv(64, 192, 3), *pool)
        self.to_4a, self.to_4d, self.to_5b = rows
        self.main = head(1024, classes, 0.4)
        self.aux1 = self.auxiliary(512, classes, nn.ReLU(inplace=True))
        self.aux2 = self.auxiliary(528, classes, nn.Identity())

    @staticmethod
    def auxiliary(cin, classes, between):
        return nn.Sequential(nn.AvgPool2d(5, 3), conv(cin, 128), nn.Flatten(),
                             nn.Linear(1152, 1024), between, MaskOnly(0.7),
                             nn.Linear(1024, classes))

    def all_heads(self, x):
        a = self.to_4a(self.stem(x))
        d = self.to_4d(a)
        return self.main(self.to_5b(d)), self.aux1(a), self.aux2(d)

    def forward(self, x):
        if self.training:
            return self.all_heads(x)
        return self.main(self.to_5b(self.to_4d(self.to_4a(self.stem(x)))))


# ---- InceptionV3 ----


def chain(cin, *steps):
    """Convolutions with batch norm one after the other; a step is (channels, kernel, stride...)."""
    parts = []
    for cout, *how in steps:
        parts.append(conv_bn(cin, cout, *how))
        cin = cout
    return nn.Sequential(*parts)


def v3_pool(cin, cout):
    return nn.Sequential(nn.AvgPool2d(3, 1, 1), conv_bn(cin, cout))


def v3_a(cin, pool):
    return Concat(chain(cin, (64, 1)), chain(cin, (48, 1), (64, 5)),
                  chain(cin, (64, 1), (96, 3), (96, 3)), v3_pool(cin, pool))


def v3_b(cin):
    return Concat(chain(cin, (384, 3, 2, 0)), chain(cin, (64, 1), (96, 3), (96, 3, 2, 0)),
                  nn.MaxPool2d(3, 2))


def v3_c(cin, c):
    wide, tall = (1, 7), (7, 1)
    return Concat(chain(cin, (192, 1)), chain(cin, (c, 1), (c, wide), (192, tall)),
                  chain(cin, (c, 1), (c, tall), (c, wide), (c, tall), (192, wide)),
                  v3_pool(cin, 192))


def v3_d(cin):
    return Concat(chain(cin, (192, 1), (320, 3, 2, 0)),
                  chain(cin, (192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2, 0)),
                  nn.MaxPool2d(3, 2))


def v3_e(cin):
    def cross():
        return Concat(conv_bn(384, 384, (1, 3)), conv_bn(384, 384, (3, 1)))
    return Concat(chain(cin, (320, 1)), nn.Sequential(chain(cin, (384, 1)), cross()),
                  nn.Sequential(chain(cin, (448, 1), (384, 3)), cross()), v3_pool(cin, 192))


def inception_v3(classes):
    return nn.Sequential(
        chain(3, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3)), nn.MaxPool2d(3, 2),
        chain(64, (80, 1), (192, 3, 1, 0)), nn.MaxPool2d(3, 2),
        v3_a(192, 32), v3_a(256, 64), v3_a(288, 64), v3_b(288),
        v3_c(768, 128), v3_c(768, 160), v3_c(768, 160), v3_c(768, 192), v3_d(768),
        v3_e(1280), v3_e(2048), head(2048, classes, 0.2))


# ---- InceptionV4 ----


def v4_pool(cin, cout):
    return nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), conv_bn(cin, cout))


def v4_stem():
    return nn.Sequential(
        chain(3, (32, 3, 2, 0), (32, 3, 1, 0), (64, 3)),
        Concat(nn.MaxPool2d(3, 2), chain(64, (96, 3, 2, 0))),
        Concat(chain(160, (64, 1), (96, 3, 1, 0)),
               chain(160, (64, 1), (64, (7, 1)), (64, (1, 7)), (96, 3, 1, 0))),
        Concat(chain(192, (192, 3, 2, 0)), nn.MaxPool2d(3, 2)))


def v4_a():
    return Concat(v4_pool(384, 96), chain(384, (96, 1)), chain(384, (64, 1), (96, 3)),
                  chain(384, (64, 1), (96, 3), (96, 3)))


def v4_reduction_a():
    return Concat(nn.MaxPool2d(3, 2), chain(384, (384, 3, 2, 0)),
                  chain(384, (192, 1), (224, 3), (256, 3, 2, 0)))


def v4_b():
    wide, tall = (1, 7), (7, 1)
    return Concat(v4_pool(1024, 128), chain(1024, (384, 1)),
                  chain(1024, (192, 1), (224, wide), (256, tall)),
                  chain(1024, (192, 1), (192, wide), (224, tall), (224, wide), (256, tall)))


def v4_reduction_b():
    return Concat(nn.MaxPool2d(3, 2), chain(1024, (192, 1), (192, 3, 2, 0)),
                  chain(1024, (256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3, 2, 0)))


def v4_c():
    def cross(cin):
        return Concat(conv_bn(cin, 256, (1, 3)), conv_bn(cin, 256, (3, 1)))
    return Concat(v4_pool(1536, 256), chain(1536, (256, 1)),
                  nn.Sequential(chain(1536, (384, 1)), cross(384)),
                  nn.Sequential(chain(1536, (384, 1), (448, (1, 3)), (512, (3, 1))), cross(512)))


def inception_v4(classes):
    return nn.Sequential(v4_stem(), *(v4_a() for _ in range(4)), v4_reduction_a(),
                         *(v4_b() for _ in range(7)), v4_reduction_b(),
                         *(v4_c() for _ in range(3)), head(1536, classes, 0.2))


# ---- Xception ----


class Residual(nn.Module):
    """body(x) + shortcut(x); nothing follows the sum."""

    def __init__(self, body, shortcut=None, shortcut_first=True):
        super().__init__()
        if shortcut is not None and shortcut_first:
            self.shortcut = shortcut
        self.body = body
        if shortcut is None or not shortcut_first:
            self.shortcut = shortcut if shortcut is not None else nn.Identity()

    def forward(self, x):
        return self.body(x).add_(self.shortcut(x))


def separable(cin, cout):
    """Pointwise, then depthwise, each with batch norm, no activation."""
    return nn.Sequential(conv_bn(cin, cout, act=None),
                         conv_bn(cout, cout, 3, groups=cout, act=None))


def xception_block(cin, middle, cout, stride, relu_first=True):
    body = [*([nn.ReLU()] if relu_first else []), separable(cin, middle), nn.ReLU(inplace=True),
            separable(middle, cout), nn.MaxPool2d(3, stride, 1)]
    return Residual(nn.Sequential(*body), conv(cin, cout, 1, stride))


def xception_middle():
    parts = [part for _ in range(3) for part in (nn.ReLU(inplace=True), separable(728, 728))]
    parts[0] = nn.ReLU()  # the sum reads its input too
    return Residual(nn.Sequential(*parts))


def xception(entry, middle):
    """entry: (channels, stride) of its blocks; middle: number of blocks."""
    def build_it(classes):
        parts, cin = [conv_bn(3, 32, 3, 2), conv_bn(32, 64, 3)], 64
        for i, (cout, stride) in enumerate(entry):
            parts.append(xception_block(cin, cout, cout, stride, relu_first=i > 0))
            cin = cout
        parts += [xception_middle() for _ in range(middle)]
        return nn.Sequential(*parts, xception_block(728, 728, 1024, 2), separable(1024, 1536),
                             nn.ReLU(inplace=True), separable(1536, 2048), nn.ReLU(inplace=True),
                             head(2048, classes))
    return build_it


def deeplab_norm(channels, act):
    norm = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
    return [norm, nn.ReLU(inplace=True)] if act else [norm]


def deeplab_separable(cin, cout, stride=1, dilation=1, act=False):
    """Depthwise, then pointwise."""
    depthwise = conv(cin, cin, 3, stride, groups=cin, dilation=dilation)
    return [depthwise, *deeplab_norm(cin, act), conv(cin, cout), *deeplab_norm(cout, act)]


def deeplab_block(cin, couts, stride=1, shortcut=True):
    parts, c = [], cin
    for i, cout in enumerate(couts):
        parts += [nn.ReLU(inplace=i > 0), *deeplab_separable(c, cout, stride if i == 2 else 1)]
        c = cout
    project = nn.Sequential(conv(cin, c, 1, stride), *deeplab_norm(c, False)) if shortcut else None
    return Residual(nn.Sequential(*parts), project, shortcut_first=False)


def xception_deeplab(middle):
    def build_it(classes):
        return nn.Sequential(
            conv(3, 32, 3, 2), *deeplab_norm(32, True), conv(32, 64, 3), *deeplab_norm(64, True),
            deeplab_block(64, (128,) * 3, 2), deeplab_block(128, (256,) * 3, 2),
            deeplab_block(256, (728,) * 3, 2),
            *(deeplab_block(728, (728,) * 3, shortcut=False) for _ in range(middle)),
            deeplab_block(728, (728, 1024, 1024), 2),
            *deeplab_separable(1024, 1536, dilation=2, act=True),
            *deeplab_separable(1536, 1536, dilation=2, act=True),
            *deeplab_separable(1536, 2048, dilation=2, act=True), MaskOnly(0.5),
            head(2048, classes))
    return build_it


# ---- MobileNetV2 ----


def inverted_residual(cin, cout, stride, expand, add):
    hidden = cin * expand
    body = nn.Sequential(conv_bn(cin, hidden, act=nn.ReLU6),
                         conv_bn(hidden, hidden, 3, stride, groups=hidden, act=nn.ReLU6),
                         conv_bn(hidden, cout, act=None))
    return Residual(body) if add else body


def mobilenet_v2(scale):
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
              (6, 160, 3, 2), (6, 320, 1, 1)]

    def build_it(classes):
        cin, last = int(32 * scale), int(1280 * max(scale, 1))
        parts = [conv_bn(3, cin, 3, 2, act=nn.ReLU6)]
        for expand, channels, count, stride in stages:
            for i in range(count):
                cout = int(channels * scale)
                parts.append(inverted_residual(cin, cout, 1 if i else stride, expand, add=i > 0))
                cin = cout
        return nn.Sequential(*parts, conv_bn(cin, last, act=nn.ReLU6), head(last, classes))
    return build_it


# ---- Res2Net ----


class Res2NetBlock(nn.Module):
    def __init__(self, cin, width, scales, cout, stride, shortcut):
        super().__init__()
        self.width, self.stride = width, stride
        self.spread = conv_bn(cin, width * scales)
        self.convs = nn.ModuleList(conv_bn(width, width, 3, stride) for _ in range(scales - 1))
        self.gather = conv_bn(width * scales, cout, act=None)
        self.pool = nn.AvgPool2d(3, 2, 1, count_include_pad=False) if stride > 1 else nn.Identity()
        self.shortcut = shortcut

    def forward(self, x):
        *chunks, rest = torch.split(self.spread(x), self.width, 1)
        outs = []
        for i, (one, chunk) in enumerate(zip(self.convs, chunks)):
            outs.append(one(chunk + outs[-1] if i and self.stride == 1 else chunk))
        y = self.gather(torch.cat([*outs, self.pool(rest)], 1))
        return F.relu_(y.add_(self.shortcut(x)))


def res2net_shortcut(cin, cout, stride, vd):
    if vd and stride > 1:
        pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        return nn.Sequential(pool, conv_bn(cin, cout, act=None))
    return conv_bn(cin, cout, 1, stride, act=None)


def res2net(depths, width, scales, vd=False):
    def build_it(classes):
        parts = [conv_bn(3, 32, 3, 2), conv_bn(32, 32, 3), conv_bn(32, 64, 3)] if vd else \
            [conv_bn(3, 64, 7, 2)]
        parts.append(nn.MaxPool2d(3, 2, 1))
        cin = 64
        for stage, depth in enumerate(depths):
            cout = 256 << stage
            for i in range(depth):
                stride = 2 if stage and not i else 1
                short = nn.Identity() if i else res2net_shortcut(cin, cout, stride, vd)
                parts.append(Res2NetBlock(cin, width << stage, scales, cout, stride, short))
                cin = cout
        return nn.Sequential(*parts, head(2048, classes))
    return build_it


# ---- DLA ----


class Basic(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.body = nn.Sequential(conv_bn(cin, cout, 3, stride), conv_bn(cout, cout, 3, act=None))

    def forward(self, x, residual):
        return F.relu_(self.body(x).add_(residual))


class Bottleneck(Basic):
    def __init__(self, cin, cout, stride, groups=1, base=64):
        nn.Module.__init__(self)
        mid = cout * base // 64 * groups // 2
        self.body = nn.Sequential(conv_bn(cin, mid), conv_bn(mid, mid, 3, stride, groups=groups),
                                  conv_bn(mid, cout, act=None))


class Tree(nn.Module):
    """Its result aggregates two blocks (one level) or two trees, and all children handed down."""

    def __init__(self, levels, block, cin, cout, stride, level_root, residual_root, root_in=None):
        super().__init__()
        if root_in is None:
            root_in = 2 * cout + (cin if level_root else 0)
        self.levels, self.level_root, self.residual_root = levels, level_root, residual_root
        self.downsample = nn.MaxPool2d(stride) if stride > 1 else nn.Identity()
        if levels > 1:
            self.tree1 = Tree(levels - 1, block, cin, cout, stride, False, residual_root)
            self.tree2 = Tree(levels - 1, block, cout, cout, 1, False, residual_root,
                              root_in + cout)
            return
        self.project = conv_bn(cin, cout, act=None) if cin != cout else nn.Identity()
        self.tree1, self.tree2 = block(cin, cout, stride), block(cout, cout, 1)
        self.root = conv_bn(root_in, cout, act=None)

    def forward(self, x, children=()):
        if self.levels == 1 or self.level_root:
            bottom = self.downsample(x)
        if self.level_root:
            children = (*children, bottom)
        if self.levels > 1:
            x1 = self.tree1(x)
            return self.tree2(x1, (*children, x1))
        x1 = self.tree1(x, self.project(bottom))
        x2 = self.tree2(x1, x1)
        y = self.root(torch.cat([x2, x1, *children], 1))
        return F.relu_(y.add_(x2) if self.residual_root else y)


SMALL, LARGE = (64, 64, 128, 256), (128, 256, 512, 1024)


def dla(levels, channels, block=Bottleneck, groups=1, base=64, residual_root=False):
    def make(cin, cout, stride):
        more = () if block is Basic else (groups, base)
        return block(cin, cout, stride, *more)

    def build_it(classes):
        parts, cin = [conv_bn(3, 16, 7), conv_bn(16, 16, 3), conv_bn(16, 32, 3, 2)], 32
        for i, (depth, cout) in enumerate(zip(levels, channels)):
            parts.append(Tree(depth, make, cin, cout, 2, i > 0, residual_root))
            cin = cout
        return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), conv(cin, classes, bias=True),
                             nn.Flatten())
    return build_it


# ---- All of them ----

TO_19 = [(128, 2), (256, 2), (728, 2)]
MODELS = {
    "GoogLeNet": GoogLeNet,
    "InceptionV3": inception_v3,
    "InceptionV4": inception_v4,
    "Xception41": xception(TO_19, 8),
    "Xception65": xception(TO_19, 16),
    "Xception71": xception([(128, 2), (256, 1), (256, 2), (728, 1), (728, 2)], 16),
    "Xception41_deeplab": xception_deeplab(8),
    "Xception65_deeplab": xception_deeplab(16),
    "MobileNetV2_x0_25": mobilenet_v2(0.25),
    "MobileNetV2_x0_5": mobilenet_v2(0.5),
    "MobileNetV2_x0_75": mobilenet_v2(0.75),
    "MobileNetV2": mobilenet_v2(1.0),
    "MobileNetV2_x1_5": mobilenet_v2(1.5),
    "MobileNetV2_x2_0": mobilenet_v2(2.0),
    "Res2Net50_26w_4s": res2net((3, 4, 6, 3), 26, 4),
    "Res2Net50_14w_8s": res2net((3, 4, 6, 3), 14, 8),
    "Res2Net50_vd_26w_4s": res2net((3, 4, 6, 3), 26, 4, vd=True),
    "Res2Net101_vd_26w_4s": res2net((3, 4, 23, 3), 26, 4, vd=True),
    "Res2Net200_vd_26w_4s": res2net((3, 12, 48, 3), 26, 4, vd=True),
    "DLA34": dla((1, 2, 2, 1), (64, 128, 256, 512), Basic),
    "DLA46_c": dla((1, 2, 2, 1), SMALL),
    "DLA46x_c": dla((1, 2, 2, 1), SMALL, groups=32, base=4),
    "DLA60": dla((1, 2, 3, 1), LARGE),
    "DLA60x": dla((1, 2, 3, 1), LARGE, groups=32, base=4),
    "DLA60x_c": dla((1, 2, 3, 1), SMALL, groups=32, base=4),
    "DLA102": dla((1, 3, 4, 1), LARGE, residual_root=True),
    "DLA102x": dla((1, 3, 4, 1), LARGE, groups=32, base=4, residual_root=True),
    "DLA102x2": dla((1, 3, 4, 1), LARGE, groups=64, base=4, residual_root=True),
    "DLA169": dla((2, 3, 5, 1), LARGE, residual_root=True),
}


def build(name, classes=1000):
    """Weights are drawn as He's, so that activations of a deep net stay finite."""
    model = MODELS[name](classes)
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return model
