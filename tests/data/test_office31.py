import shutil

import numpy as np
import pytest
from PIL import Image

from data import DataError, Dataset, Office31Dataset
from mathlib import rng, settings
from mathlib.backend import scalar, to_device, to_host


def test_pixels_and_both_answers(office31):
    rng.seed(6)
    dataset = Office31Dataset([5, 4], [4, 5, 3])
    assert str(dataset) == 'office31(dual_select, 10+13+1)'
    assert dataset.cnts == [2]
    assert dataset.target_names == [['amazon', 'dslr'], ['bike', 'mug']]
    assert (dataset.input_shape, dataset.output_shape) == ((4, 5, 3), (4,))
    order = np.arange(24)
    np.random.RandomState(6).shuffle(order)
    files = [
        office31 / domain / 'images' / category / f'frame_{number:04}.jpg'
        for domain in ('amazon', 'dslr')
        for category in ('bike', 'mug')
        for number in range(6)
    ]
    for row, at in enumerate(order[:10]):
        path = files[at]
        assert np.array_equal(dataset.tr_xs[row], np.array(Image.open(path).resize([5, 4])))
        domain, category = path.parts[-4], path.parts[-2]
        assert dataset.tr_ys[row].tolist() == [
            domain == 'amazon',
            domain == 'dslr',
            category == 'bike',
            category == 'mug',
        ]


def test_a_broken_picture_is_left_out_and_the_answers_stay_in_step(office31, capsys):
    (office31 / 'amazon' / 'images' / 'mug' / 'frame_0001.jpg').write_bytes(b'')
    dataset = Office31Dataset([5, 4])
    assert dataset.skipped[0][0] == 'amazon/images/mug/frame_0001.jpg'
    assert 'office31: 1 of 24 files left out: amazon/images/mug/frame_0001.jpg' in capsys.readouterr().out
    counts = sum(ys.sum(axis=0) for ys in (dataset.tr_ys, dataset.va_ys, dataset.te_ys))
    assert counts.tolist() == [11, 12, 12, 11]


@pytest.mark.parametrize(('lacking', 'having'), [('amazon', 'dslr'), ('dslr', 'amazon')])
def test_domains_with_different_categories(office31, lacking, having):
    shutil.copytree(office31 / having / 'images' / 'mug', office31 / having / 'images' / 'pen')
    with pytest.raises(DataError, match=f'{having}/images has the categories pen, {lacking}/images has not'):
        Office31Dataset([5, 4])


def test_a_domain_without_images(office31):
    (office31 / 'webcam' / 'bike').mkdir(parents=True)
    with pytest.raises(DataError, match='the folder webcam has no folder images; expected <domain>/images'):
        Office31Dataset([5, 4])


def test_an_empty_category_and_an_empty_folder(office31):
    for path in (office31 / 'dslr' / 'images' / 'mug').iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r'class folder .*mug holds no picture'):
        Office31Dataset([5, 4])
    for domain in ('amazon', 'dslr'):
        shutil.rmtree(office31 / domain)
    with pytest.raises(DataError, match='there are 0 folders'):
        Office31Dataset([5, 4])
    shutil.rmtree(office31)
    with pytest.raises(DataError, match='holds no folder office31'):
        Office31Dataset([5, 4])


def test_a_category_that_fails_in_one_domain_is_named(office31):
    for path in (office31 / 'dslr' / 'images' / 'mug').iterdir():
        path.write_bytes(b'')
    with pytest.raises(DataError, match=r'dslr/images/mug: none of its 6 pictures decodes'):
        Office31Dataset([5, 4])


def test_visualize_prints_domains_then_objects(office31, capsys, monkeypatch):
    dataset = Office31Dataset([5, 4])
    dataset.target_names[1] = [f'object{number}' for number in range(10)]
    xs, _ = dataset.get_visualize_data(1)
    estimates = np.array([[0.25, 0.75, *[0.05] * 9, 0.55]])
    answers = np.array([[1, 0, *[0] * 9, 1]])
    dataset.visualize(xs, estimates, answers)
    monkeypatch.setattr(settings, 'book_lang', 'ko')
    dataset.visualize(xs, estimates, answers)
    assert capsys.readouterr().out.splitlines() == [
        '[ domain estimates ]',
        'estimated distribution [25,75] => estimate dslr : answer amazon => X',
        '[ object estimates ]',
        'estimated distribution [ 5, 5, 5, 5, 5, 5, 5, 5,...] => estimate object9 : answer object9 => O',
        '[ 도메인 추정결과 ]',
        '추정확률분포 [25,75] => 추정 dslr : 정답 amazon => X',
        '[ 상품 추정결과 ]',
        '추정확률분포 [ 5, 5, 5, 5, 5, 5, 5, 5,...] => 추정 object9 : 정답 object9 => O',
    ]


@pytest.fixture
def many_mugs(office31):
    """20 pictures in the domain dslr, enough to be split; returns the folder of office31."""
    mugs = office31 / 'dslr' / 'images' / 'mug'
    for number in range(6, 14):
        shutil.copy(mugs / 'frame_0001.jpg', mugs / f'frame_{number:04}.jpg')
    return office31


def test_one_domain_is_one_question(many_mugs, capsys):
    rng.seed(6)
    dataset = Office31Dataset([5, 4], [4, 5, 3], domains=['dslr'])
    assert str(dataset) == 'office31(select, 10+9+1)'
    assert dataset.target_names == ['bike', 'mug']
    assert dataset.output_shape == (2,)
    order = np.arange(20)
    np.random.RandomState(6).shuffle(order)
    files = [path for kind in ('bike', 'mug') for path in sorted((many_mugs / 'dslr' / 'images' / kind).iterdir())]
    for row, at in enumerate(order[:10]):
        assert np.array_equal(dataset.tr_xs[row], np.array(Image.open(files[at]).resize([5, 4])))
        assert dataset.tr_ys[row].tolist() == [files[at].parent.name == 'bike', files[at].parent.name == 'mug']
    dataset.visualize(dataset.tr_xs[:1], np.array([[0.25, 0.75]]), np.array([[1, 0]]))
    dataset.train_prt_result(2, [1.0, 2.0], [0.5, 0.25], 0.75, 3, 4)
    dataset.test_prt_result('m', 0.5, 1)
    assert capsys.readouterr().out.splitlines() == [
        'estimated distribution [25,75] => estimate mug : answer bike => X',
        '    Epoch 2: cost=1.500, accuracy=0.375/0.750 (3/4 secs)',
        'Model m test report: accuracy = 0.500, (1 secs)',
        '',
    ]


def test_the_loss_of_one_domain_is_that_of_one_choice(many_mugs):
    one, plain = Office31Dataset([5, 4], domains=['dslr']), Dataset('plain', 'select')
    output, y = (to_device(np.array(rows, 'float32')) for rows in ([[1, 3], [2, 0]], [[0, 1], [0, 1]]))
    for dataset in (one, plain):
        loss, aux = dataset.forward_postproc(output, y)
        assert scalar(loss) == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(2))) / 2)
        gradient = to_host(dataset.backprop_postproc(1.0, aux))
        e = 1 / (1 + np.exp(2))
        assert gradient == pytest.approx(np.array([[e, -e], [1 - e, e - 1]]) / 2)
        assert scalar(dataset.eval_accuracy(None, y, output)) == 0.5
        assert to_host(dataset.get_estimate(output))[0] == pytest.approx([e, 1 - e])


def test_two_of_three_domains_are_two_questions_in_sorted_order(office31):
    shutil.copytree(office31 / 'amazon', office31 / 'webcam')
    dataset = Office31Dataset([5, 4], domains=['webcam', 'dslr'])
    assert (dataset.mode, dataset.cnts, dataset.target_names) == (
        'dual_select',
        [2],
        [['dslr', 'webcam'], ['bike', 'mug']],
    )
    assert Office31Dataset([5, 4]).cnts == [3]


def test_what_other_domains_lack_does_not_matter(many_mugs):
    shutil.rmtree(many_mugs / 'amazon' / 'images')
    assert Office31Dataset([5, 4], domains=['dslr']).target_names == ['bike', 'mug']


@pytest.mark.parametrize(
    ('domains', 'message'),
    [
        (['amazone'], "'amazone' is not known: expected amazon, dslr. Did you mean 'amazon'?"),
        ('amazon', "domains='amazon': expected a list of different names out of amazon, dslr"),
        ([], r'domains=\[\]: expected a list'),
        (['dslr', 'dslr'], 'expected a list of different names'),
    ],
)
def test_wrong_domains(office31, domains, message):
    with pytest.raises(DataError, match=message):
        Office31Dataset([5, 4], domains=domains)
