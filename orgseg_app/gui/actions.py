# ruff: noqa: E501  (a table: one action a line)
"""The menu table: every action once, with its words, keys and picture.

Menus, tool strip, command palette, tooltips and the printed shortcut sheet are all made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMainWindow

from orgseg_app.settings import TEXT_SIZES

MENUS = ("File", "Edit", "View", "Image", "Annotate", "Train", "Compare", "Export", "Help")


@dataclass(frozen=True)
class ActionInfo:
    """One action.

    Attributes
    ----------
    action_id
        Also the name of its handler.
    menu
        One of `MENUS`.
    text
        A verb, sentence case; "…" when it asks something first.
    keys
        Shortcuts in Qt's portable form.
    tip
        What it does, in a sentence.
    needs
        "" always possible, "project", "image", or "edit" (an image that may be changed).
    group
        Actions of a group exclude one another and are checkable.
    """

    action_id: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    needs: str = ""
    checkable: bool = False
    group: str = ""


ACTIONS: tuple[ActionInfo, ...] = (
    # File
    ActionInfo("new_project", "File", "New project…", ("Ctrl+N",), "plus", "Make an empty project"),
    ActionInfo("open_project", "File", "Open project…", ("Ctrl+O",), "folder", "Open a project file"),
    ActionInfo("new_window", "File", "New window", (), "", "A second window beside this one, for another project"),
    ActionInfo(
        "open_to_paint", "File", "Open for painting", (), "brush",
        "See whether the other window has closed the project; then it can be changed here", "project",
    ),
    ActionInfo(
        "add_images", "File", "Add images…", ("Ctrl+I",), "image",
        "Bring images, and masks that lie beside them, into the project",
    ),
    ActionInfo(
        "add_folder", "File", "Add folder…", ("Ctrl+Shift+I",), "folder",
        "Bring in a folder of images with its masks",
    ),
    ActionInfo(
        "find_links", "File", "Find linked images…", (), "search",
        "Look through a folder for the files of linked images that were moved", "project",
    ),
    ActionInfo(
        "save", "File", "Set a checkpoint", ("Ctrl+S",), "save",
        "Everything is saved by itself; this marks the moment, to come back to (Edit menu)", "project",
    ),
    ActionInfo(
        "save_copy", "File", "Save a copy…", ("Ctrl+Shift+S",), "",
        "Write the project as it is now to another place", "project",
    ),
    ActionInfo(
        "pack", "File", "Pack…", (), "export",
        "Everything in one file, to mail or to keep: images, masks and the runs you choose", "project",
    ),
    ActionInfo(
        "restore_backup", "File", "Restore from a backup…", (), "clock",
        "Compare with backups, and bring masks back from one", "project",
    ),
    ActionInfo(
        "bring_strokes_back", "File", "Bring strokes back", (), "undo",
        "Make the strokes of a side file that was set aside again, as changes that undo takes back", "project",
    ),
    ActionInfo(
        "compact", "File", "Compact the project…", (), "",
        "Win back the room on the disk of what the project no longer holds", "project",
    ),
    ActionInfo("close_project", "File", "Close project", ("Ctrl+W",), "close", "Back to the start page", "project"),
    ActionInfo("quit", "File", "Quit", ("Ctrl+Q",), "", "Save and leave; a training goes on"),
    # Edit
    ActionInfo("undo", "Edit", "Undo", ("Ctrl+Z",), "undo", "Take back the last change", "edit"),
    ActionInfo("redo", "Edit", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", "Make it again", "edit"),
    ActionInfo("back_to_checkpoint", "Edit", "Back to the checkpoint", (), "", "Undo everything since; redo leads forward again", "edit"),
    ActionInfo("undo_history", "Edit", "Undo history…", ("Ctrl+H",), "clock", "Every step, what it takes on the disk, and how far back it goes", "project"),
    ActionInfo(
        "clear_plane", "Edit", "Clear this plane", ("Ctrl+Shift+Backspace",), "trash",
        "Make every voxel of the plane unlabelled", "edit",
    ),
    ActionInfo(
        "clear_class", "Edit", "Clear the class on this plane", ("Ctrl+Backspace",), "",
        "Make every voxel of the chosen class on the plane unlabelled", "edit",
    ),
    ActionInfo(
        "invert_plane", "Edit", "Invert this plane", ("Shift+X",), "",
        "The chosen class and background change places where they are painted", "edit",
    ),
    ActionInfo(
        "fill_background", "Edit", "Rest is background", ("Ctrl+B",), "",
        "Make every unlabelled voxel of the plane background", "edit",
    ),
    ActionInfo("command_palette", "Edit", "Find a command…", ("Ctrl+K",), "search", "Search everything OrgSeg can do"),
    ActionInfo("reset_settings", "Edit", "Reset all settings…", (), "", "Colours, keys and places of windows as at the first start; projects stay as they are"),
    # View
    ActionInfo("workspace_annotate", "View", "Annotate", ("Ctrl+1",), "brush", "Paint masks", "", True, "workspace"),
    ActionInfo("workspace_train", "View", "Train", ("Ctrl+2",), "chart", "Teach a network what you painted", "", True, "workspace"),
    ActionInfo("workspace_compare", "View", "Compare", ("Ctrl+3",), "compare", "See which model is better", "", True, "workspace"),
    ActionInfo("workspace_export", "View", "Export", ("Ctrl+4",), "export", "Write masks for other programs", "", True, "workspace"),
    ActionInfo("zoom_in", "View", "Zoom in", ("+", "="), "zoom-in", "Closer", "image"),
    ActionInfo("zoom_out", "View", "Zoom out", ("-",), "zoom-out", "Further away", "image"),
    ActionInfo("zoom_fit", "View", "Fit to window", ("Home",), "fit", "Show the whole image", "image"),
    ActionInfo("zoom_full", "View", "One voxel a pixel", ("Ctrl+0",), "", "Zoom of 100 %", "image"),
    ActionInfo("toggle_overlay", "View", "Show mask", ("V",), "eye", "Show or hide the mask, and objects with it; hold Tab or H to hide all layers for a moment", "image", True),
    ActionInfo("toggle_outline", "View", "Outline", ("O",), "", "Draw the edges of painted regions", "image", True),
    ActionInfo("toggle_fill", "View", "Filled", ("Shift+O",), "", "Tint painted regions", "image", True),
    ActionInfo("toggle_unlabelled", "View", "Mark unlabelled", ("U",), "", "Hatch what nobody has painted yet", "image", True),
    ActionInfo("toggle_objects", "View", "Show object colours", (), "", "Each object in a colour of its own, in objects mode", "image", True),
    ActionInfo("toggle_prediction", "View", "Show prediction", ("Shift+V",), "", "Lay what a model says over the image", "image", True),
    ActionInfo("toggle_difference", "View", "Show difference", ("Shift+D",), "", "Where the prediction and the mask agree, and where they do not", "image", True),
    ActionInfo("toggle_sections", "View", "Sections XZ and YZ", ("T",), "", "Cut the volume along and across, through the crosshair", "image", True),
    ActionInfo("crosshair_here", "View", "Crosshair here", ("Y",), "", "Bring the sections to the voxel under the pointer; so does a right-click", "image"),
    ActionInfo("auto_contrast", "View", "Automatic contrast", ("Ctrl+L",), "contrast", "Contrast from the image itself", "image"),
    ActionInfo("preview_preprocessing", "View", "Preview preprocessing", ("Shift+P",), "", "Show the image as the network will see it, prepared as the recipe says; nothing is changed", "image", True),
    ActionInfo("toggle_side_by_side", "View", "Side by side", ("Shift+S",), "", "A pane beside the canvas, at the same place: another layer, another model, or the image alone", "image", True),
    ActionInfo("go_to_notice", "View", "Go to the notice", ("F6",), "info", "Put the keyboard on what is said above or over the picture, and on the tour; Esc leads back"),
    ActionInfo("full_canvas", "View", "Only the canvas", ("F11",), "", "Hide everything else", "", True),
    ActionInfo("theme_system", "View", "Theme: as the system", (), "", "Light or dark, as the system is", "", True, "theme"),
    ActionInfo("theme_light", "View", "Theme: light", (), "sun", "Light", "", True, "theme"),
    ActionInfo("theme_dark", "View", "Theme: dark", (), "moon", "Dark", "", True, "theme"),
    *(
        ActionInfo(f"text_{size}", "View", f"Text size: {size} %", (), "", f"Words and numbers {words}", "", True, "text")
        for size, words in zip(TEXT_SIZES, ("as large as usual", "a quarter larger", "half as large again", "twice as large"), strict=True)
    ),
    # Image
    ActionInfo("previous_image", "Image", "Previous image", ("A", "Ctrl+PgUp"), "", "One up in the list", "image"),
    ActionInfo("next_image", "Image", "Next image", ("D", "Ctrl+PgDown"), "", "One down in the list", "image"),
    ActionInfo("previous_plane", "Image", "Previous plane", ("PgUp",), "", "One plane up in the stack", "image"),
    ActionInfo("next_plane", "Image", "Next plane", ("PgDown",), "", "One plane down in the stack", "image"),
    ActionInfo("previous_time", "Image", "Previous time point", ("Alt+PgUp",), "", "The moment before, at the same plane and place", "image"),
    ActionInfo("next_time", "Image", "Next time point", ("Alt+PgDown",), "", "The moment after, at the same plane and place", "image"),
    ActionInfo("split_train", "Image", "Use for training", ("Ctrl+Alt+1",), "", "Networks learn from it", "edit", True, "split"),
    ActionInfo("split_validation", "Image", "Use for validation", ("Ctrl+Alt+2",), "", "Chooses the best moment of a training", "edit", True, "split"),
    ActionInfo("split_test", "Image", "Use for test", ("Ctrl+Alt+3",), "", "Kept away from training, to compare models honestly", "edit", True, "split"),
    ActionInfo("make_weights", "Image", "Make weights…", (), "", "Let rare classes and the edges between classes count more in training", "edit"),
    ActionInfo("load_weights", "Image", "Load weights…", (), "", "Keep how much each voxel is to count, from a file of as many voxels", "edit"),
    ActionInfo("remove_weights", "Image", "Remove weights…", (), "", "Let all voxels of the image count alike again", "edit"),
    ActionInfo("remove_image", "Image", "Remove image…", (), "trash", "Take it and its mask out of the project", "edit"),
    # Annotate
    ActionInfo("tool_pan", "Annotate", "Move", ("M",), "hand", "Drag the picture", "image", True, "tool"),
    ActionInfo("tool_brush", "Annotate", "Brush", ("B", "P"), "brush", "Paint the chosen class", "edit", True, "tool"),
    ActionInfo("tool_eraser", "Annotate", "Eraser", ("E",), "eraser", "Make voxels unlabelled", "edit", True, "tool"),
    ActionInfo("tool_ball", "Annotate", "Ball brush", ("Shift+B",), "ball", "Paint the chosen class in depth, too", "edit", True, "tool"),
    ActionInfo("tool_polygon", "Annotate", "Polygon", ("G",), "polygon", "Outline a region and fill it", "edit", True, "tool"),
    ActionInfo("tool_lasso", "Annotate", "Lasso", ("Shift+G",), "lasso", "Draw around a region and fill it", "edit", True, "tool"),
    ActionInfo("tool_rectangle", "Annotate", "Rectangle", ("Shift+R",), "rectangle", "Fill a rectangle or a square", "edit", True, "tool"),
    ActionInfo("tool_ellipse", "Annotate", "Ellipse", ("Shift+E",), "ellipse", "Fill an ellipse or a circle", "edit", True, "tool"),
    ActionInfo("tool_livewire", "Annotate", "Livewire", ("I",), "livewire", "Outline a region along its edges and fill it", "edit", True, "tool"),
    ActionInfo("tool_superpixels", "Annotate", "Superpixel brush", ("S",), "superpixels", "Paint whole patches of like voxels", "edit", True, "tool"),
    ActionInfo("tool_grabcut", "Annotate", "Object in a box", ("K",), "grabcut", "Drag a box; the object in it gets the chosen class (GrabCut)", "edit", True, "tool"),
    ActionInfo("tool_fill", "Annotate", "Fill", ("F",), "fill", "Give a connected region the chosen class", "edit", True, "tool"),
    ActionInfo("tool_component", "Annotate", "Regions", ("C",), "component", "Delete, merge, split painted regions, or give them another class", "edit", True, "tool"),
    ActionInfo("tool_holes", "Annotate", "Fill holes", ("Shift+F",), "fill-holes", "Give what a region encloses its class", "edit", True, "tool"),
    ActionInfo("tool_wand", "Annotate", "Magic wand", ("W",), "wand", "Paint what looks like the voxel clicked", "edit", True, "tool"),
    ActionInfo("tool_reshape", "Annotate", "Grow, shrink, smooth", ("J",), "reshape", "Click what is painted to grow, shrink or smooth it", "edit", True, "tool"),
    ActionInfo("tool_picker", "Annotate", "Pick class", ("L",), "picker", "Choose the class under the pointer", "image", True, "tool"),
    ActionInfo("tool_ruler", "Annotate", "Ruler", ("Shift+L",), "ruler", "Measure a distance", "image", True, "tool"),
    ActionInfo("brush_smaller", "Annotate", "Smaller brush", ("[",), "", "About a tenth smaller", "image"),
    ActionInfo("brush_larger", "Annotate", "Larger brush", ("]",), "", "About a tenth larger", "image"),
    ActionInfo("brush_square", "Annotate", "Square brush", ("Q",), "", "Square instead of round", "image", True),
    ActionInfo("protect", "Annotate", "Protect other classes", ("R",), "", "Paint only over what is unlabelled; in objects mode, leave other objects alone, too", "image", True),
    ActionInfo("grow_region", "Annotate", "Grow under the pointer", ("Ctrl+Up",), "", "As far as the tool “Grow, shrink, smooth” is set: the object, its class or the plane", "edit"),
    ActionInfo("shrink_region", "Annotate", "Shrink under the pointer", ("Ctrl+Down",), "", "What is given up becomes what lies beside it", "edit"),
    ActionInfo("smooth_region", "Annotate", "Smooth under the pointer", ("Ctrl+M",), "", "Round off spikes and notches; straight edges stay", "edit"),
    ActionInfo("swap_class", "Annotate", "Swap with background", ("X",), "", "Between the class and background", "image"),
    ActionInfo("previous_class", "Annotate", "Class before", (",",), "", "One up in the list of classes", "project"),
    ActionInfo("next_class", "Annotate", "Next class", (".",), "", "One down in the list of classes", "project"),
    ActionInfo("new_class", "Annotate", "New class", ("N",), "plus", "Add a kind of structure", "project"),
    *(
        ActionInfo(f"class_{i}", "Annotate", f"Class {i}", (str(i),), "", f"Paint with class {i}", "project")
        for i in range(1, 10)
    ),
    ActionInfo("objects_mode", "Annotate", "Objects mode", ("Shift+M",), "", "What is painted belongs to one object, too: touching ones stay apart", "image", True),
    ActionInfo("new_object", "Annotate", "New object", ("Shift+N",), "", "Paint another object from now on; Ctrl+click takes one that is there", "edit"),
    ActionInfo("object_each_stroke", "Annotate", "New object for every stroke", (), "", "Each stroke paints an object of its own", "image", True),
    ActionInfo("separate_object", "Annotate", "New number under the pointer", (), "", "What hangs together there becomes an object of its own", "edit"),
    ActionInfo("make_objects_plane", "Annotate", "Make objects of this plane", (), "", "What hangs together and has no number becomes an object", "edit"),
    ActionInfo("make_objects", "Annotate", "Make objects of the whole image", (), "", "Through all planes: what hangs together and has no number becomes an object", "edit"),
    ActionInfo("group_objects", "Annotate", "Make objects with settings…", ("Ctrl+Shift+O",), "", "Of a prediction or of the mask, with sliders and the outcome on the picture at once", "edit"),
    ActionInfo("object_table", "Annotate", "Object table", ("Shift+T",), "table", "Every object with its size, its class and what is odd about it", "image", True),
    ActionInfo("find_object", "Annotate", "Find an object…", ("Ctrl+F",), "search", "By its number", "image"),
    ActionInfo("next_suspicious", "Annotate", "Next suspicious object", ("Z", "Alt+Down"), "", "The most suspicious first, as the object table is sorted", "image"),
    ActionInfo("previous_suspicious", "Annotate", "Previous suspicious object", ("Shift+Z", "Alt+Up"), "", "Back to the one before", "image"),
    ActionInfo("merge_objects", "Annotate", "Merge chosen objects", ("Ctrl+J",), "", "One object with number and class of the largest", "edit"),
    ActionInfo("split_object", "Annotate", "Split chosen object…", ("Ctrl+Shift+J",), "", "Where it is narrow, with the parts on the picture first", "edit"),
    ActionInfo("delete_objects", "Annotate", "Delete chosen objects", ("Ctrl+Del",), "trash", "On all planes; what they were becomes unlabelled", "edit"),
    ActionInfo("classify_objects", "Annotate", "Give chosen objects the class", ("Ctrl+Shift+L",), "", "The class in the hand; they stay the same objects", "edit"),
    ActionInfo("fill_objects", "Annotate", "Fill holes of chosen objects", ("Ctrl+Shift+F",), "", "What they enclose becomes theirs, unless another object has it", "edit"),
    ActionInfo("smooth_objects", "Annotate", "Smooth chosen objects", ("Ctrl+Shift+M",), "", "Round off spikes and notches; once more smooths further", "edit"),
    ActionInfo("remove_small_objects", "Annotate", "Remove small objects…", ("Ctrl+Shift+Del",), "", "Set how small, and see which and how many first", "edit"),
    ActionInfo("renumber_objects", "Annotate", "Renumber objects", ("Ctrl+Shift+N",), "", "From 1 on without gaps, in the order they have", "edit"),
    ActionInfo("copy_to_next", "Annotate", "Copy to the next plane", ("Shift+PgDown",), "copy", "What is painted here, onto what is unlabelled there; and go there", "edit"),
    ActionInfo("copy_to_previous", "Annotate", "Copy to the previous plane", ("Shift+PgUp",), "", "What is painted here, onto what is unlabelled there; and go there", "edit"),
    ActionInfo("copy_class_to_next", "Annotate", "Copy the class to the next plane", ("Ctrl+Shift+PgDown",), "", "The chosen class only", "edit"),
    ActionInfo("copy_class_to_previous", "Annotate", "Copy the class to the previous plane", ("Ctrl+Shift+PgUp",), "", "The chosen class only", "edit"),
    ActionInfo("copy_replaces", "Annotate", "Copies replace what is there", (), "", "A copied plane or class looks as it did where it came from; otherwise only what is unlabelled is painted", "image", True),
    ActionInfo("interpolate_gaps", "Annotate", "Interpolate between planes", ("Shift+I",), "", "Fill every plane without paint that lies between two painted ones", "edit"),
    ActionInfo("interpolate_here", "Annotate", "Interpolate this plane", ("Ctrl+Alt+I",), "", "Fill what is unlabelled here from the painted planes before and after", "edit"),
    # Train
    ActionInfo("train", "Train", "Train", ("Ctrl+R",), "play", "Train a network with the chosen recipe", "project"),
    ActionInfo("open_recipe", "Train", "Open recipe…", (), "folder", "Set the form to a recipe from a file", "project"),
    ActionInfo("save_recipe", "Train", "Save recipe as…", (), "save", "Write what the form says into a file, for the command line or another project", "project"),
    ActionInfo("augmented_examples", "Train", "Examples of augmented patches", (), "image", "What the network will be shown of this image", "image"),
    ActionInfo(
        "train_further", "Train", "Train further from this run", (), "",
        "Prepare a new run that begins with what the chosen run, or else the best one, has learnt", "project",
    ),
    ActionInfo(
        "retrain", "Train", "Retrain on corrections…", (), "",
        "Go on from a run; where its model was wrong by the masks as they are now, voxels count more", "project",
    ),
    ActionInfo(
        "make_ensemble", "Train", "Make an ensemble…", (), "model",
        "Let several trained models decide together: as a rule better than the best of them alone", "project",
    ),
    ActionInfo("examine_levels", "Train", "Low-level importance…", (), "", "What the chosen run's network loses without each of its levels, in scores of held-out images", "project"),
    ActionInfo("examine_noise", "Train", "Noise robustness…", (), "", "How the scores of the chosen run's model fall as noise is added to the held-out images", "project"),
    ActionInfo("new_study", "Train", "New study…", ("Ctrl+Alt+R",), "table", "Train every combination of settings you choose, to find out which is better", "project"),
    ActionInfo("pause_study", "Train", "Pause the study", (), "", "Wait, with the run that is learning", "project"),
    ActionInfo("resume_study", "Train", "Resume the study", (), "", "Go on where a paused, stopped or interrupted study was", "project"),
    ActionInfo("stop_study", "Train", "Stop the study", (), "", "End soon; what was learnt is kept, and it can go on later", "project"),
    ActionInfo("pause_run", "Train", "Pause or resume", ("Ctrl+Shift+P",), "pause", "The training that runs", "project"),
    ActionInfo("stop_run", "Train", "Stop training", ("Ctrl+.",), "stop", "Keeps the best model so far", "project"),
    ActionInfo(
        "predict_image", "Train", "Predict this image", ("Ctrl+P",), "sparkle",
        "Fill what is unlabelled with the best model's prediction; undo takes it back", "edit",
    ),
    ActionInfo("graphics_card", "Train", "Graphics card…", (), "device", "What networks are trained on here, and the GPU pack that makes an NVIDIA card useful"),
    # Compare
    ActionInfo("score_runs", "Compare", "Score missing images", (), "", "Run the models on test images they have not seen", "project"),
    ActionInfo("add_predictions", "Compare", "Add predictions of another program…", (), "import", "Masks of Cellpose, ilastik, nnU-Net … or of a second person as a row, scored on the test images", "project"),
    ActionInfo("choose_columns", "Compare", "Choose columns…", (), "table", "Scores that the table of runs shows, each explained", "project"),
    ActionInfo("show_confusion", "Compare", "Show confusion", (), "", "Which class was taken for which, by the runs chosen", "project"),
    ActionInfo("show_thresholds", "Compare", "Show thresholds", (), "", "Scores at other thresholds, precision over recall and ROC of the runs chosen", "project"),
    ActionInfo("show_scores", "Compare", "Show scores of images", (), "", "How every run did on every test image, where they differ most first", "project"),
    ActionInfo("show_statistics", "Compare", "Show statistics", (), "", "Which of the runs differ, by how much, and whether that may be luck", "project"),
    ActionInfo("show_studies", "Compare", "Show studies", (), "table", "Grids of runs: ranking, heat map, what each setting does, why the best is ahead", "project"),
    ActionInfo("compare_side_by_side", "Compare", "Panes side by side", ("Ctrl+Alt+S",), "", "The runs chosen and the truth, at the same place of an image", "project"),
    ActionInfo("compare_swipe", "Compare", "Swipe between two", ("Ctrl+Alt+W",), "", "Two runs in one picture, on either side of a line that is dragged", "project"),
    ActionInfo("compare_flicker", "Compare", "Flicker between runs", ("Ctrl+Alt+F",), "", "One after the other in the same place; F or Space shows the next one", "project"),
    ActionInfo("next_disagreement", "Compare", "Go to the largest disagreement", ("Ctrl+D",), "search", "Where the runs chosen do not agree; again for the next largest", "project"),
    ActionInfo("next_error", "Compare", "Go to the largest error", ("Ctrl+G",), "", "Where the run in the pane with the keyboard, or A, is wrong; again for the next largest", "project"),
    ActionInfo("save_comparison", "Compare", "Save comparison…", ("Ctrl+Shift+C",), "save", "Table as CSV, XLSX or JSON", "project"),
    ActionInfo("write_report", "Compare", "Write report…", ("Ctrl+Alt+P",), "file", "A page to read and print with figures, statistics, methods and model cards, or a folder with all formats", "project"),
    # Export
    ActionInfo("export_masks", "Export", "Export painted masks…", ("Ctrl+E",), "export", "Masks of this project as files", "project"),
    ActionInfo("export_objects", "Export", "Export objects…", (), "export", "Objects of this project as label images, QuPath, ImageJ, COCO, Cellpose … files", "project"),
    ActionInfo(
        "export_training_set", "Export", "Export training set…", (), "export",
        "Images, masks and weights as published sets lie on disk: SNEMI3D tree, platelet stacks", "project",
    ),
    ActionInfo("measure_objects", "Export", "Measure objects…", ("Ctrl+Alt+M",), "ruler", "Sizes, shapes, brightness and networks of objects, as a table for a spreadsheet", "project"),
    ActionInfo("predict_folder", "Export", "Predict a folder…", ("Ctrl+Shift+E",), "folder", "Masks for a folder of new images", "project"),
    # Help
    ActionInfo("sample_er", "Help", "Try the sample “ER network”", (), "", "Simulated images of the endoplasmic reticulum, masks painted, ready to train"),
    ActionInfo("sample_mitochondria", "Help", "Try the sample “Mitochondria”", (), "", "Simulated images of mitochondria, masks painted, ready to train"),
    ActionInfo("sample_nuclei", "Help", "Try the sample “Nuclei”", (), "", "Simulated images of nuclei, masks painted, ready to train"),
    ActionInfo("sample_em_volume", "Help", "Try the sample “EM volume”", (), "", "Simulated volumes of brain tissue in an electron microscope, masks painted, ready to train"),
    ActionInfo("guided_tour", "Help", "Guided tour", (), "", "Paint, give images their split, train, compare and export: five steps on this window"),
    ActionInfo("help_tool", "Help", "Help for this tool", ("F1",), "help", "What has the keyboard, or else the tool in the hand, is for, and how it is used"),
    ActionInfo("help_contents", "Help", "Help contents", (), "", "A page about every tool, and about what all of them share"),
    ActionInfo("shortcuts", "Help", "Keyboard shortcuts", ("?",), "keyboard", "Every action and its keys"),
    ActionInfo("edit_shortcuts", "Help", "Change keyboard shortcuts…", (), "", "Give every action the keys you like, or those of Fiji, ilastik or napari"),
    ActionInfo("save_diagnostics", "Help", "Save a diagnostic report…", (), "file", "What helps to find a fault, in one file: logs and versions, no images, no names; shown before it is saved"),
    ActionInfo("check_updates", "Help", "Check for updates…", (), "", "Ask once, now, whether there is a newer version; OrgSeg never asks by itself"),
    ActionInfo("about", "Help", "About OrgSeg", (), "info", "Version, licence, device"),
)  # fmt: skip


FIRST_OF_SECTION = frozenset({
    "add_images", "save", "restore_backup", "close_project", "clear_plane", "command_palette",
    "zoom_in", "toggle_overlay", "toggle_sections", "auto_contrast", "go_to_notice", "previous_plane",
    "brush_smaller", "swap_class", "class_1", "objects_mode", "object_table", "merge_objects", "copy_to_next", "interpolate_gaps", "open_recipe", "new_study", "pause_run", "predict_image", "graphics_card", "compare_side_by_side", "next_disagreement", "save_comparison", "help_tool", "save_diagnostics", "about",
})  # fmt: skip
"""A line is drawn above these in their menus, as there is around the actions of a `group`."""


def action_info(action_id: str) -> ActionInfo:
    """The entry with this id. Raises KeyError."""
    return BY_ID[action_id]


BY_ID: dict[str, ActionInfo] = {info.action_id: info for info in ACTIONS}


def build_actions(
    window: QMainWindow,
    handlers: Mapping[str, Callable[[], object]],
    icon_of: Callable[[str], object],
) -> dict[str, QAction]:
    """Make the actions and the window's menus; their keys come from `shortcuts.Shortcuts`.

    Parameters
    ----------
    handlers
        What each action does, by id; a missing one is a programming error and raises KeyError.
    icon_of
        Name → QIcon.
    """
    actions: dict[str, QAction] = {}
    groups: dict[str, QActionGroup] = {}
    menus = {name: window.menuBar().addMenu(name) for name in MENUS}
    last: dict[str, str] = {}
    for info in ACTIONS:
        action = QAction(info.text, window)
        action.setObjectName(info.action_id)
        if info.icon:
            action.setIcon(icon_of(info.icon))  # type: ignore[arg-type]
        action.setStatusTip(info.tip)
        action.setCheckable(info.checkable)
        if info.group:
            group = groups.setdefault(info.group, QActionGroup(window))
            group.addAction(action)
        if last.get(info.menu, info.group) != info.group or info.action_id in FIRST_OF_SECTION:
            menus[info.menu].addSeparator()
        last[info.menu] = info.group
        handler = handlers[info.action_id]
        action.triggered.connect(lambda _checked=False, run=handler: run())
        menus[info.menu].addAction(action)
        window.addAction(action)  # so that its keys work while the menu bar is hidden
        actions[info.action_id] = action
    return actions
